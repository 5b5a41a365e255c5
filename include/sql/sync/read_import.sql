-- Read how the import of the books that a company is connected to stands: its last run since then, whether somebody is
-- at work, and whether it is due at all.
select
    connection.connected_at,
    run.run_id,
    run.dag_run_id,
    run.state as run_state,
    run.error,
    hashtextextended('company/' || connection.company_id, 0) in (
        select held.lock_key from sync.held_lock as held
    ) as is_held,
    coalesce(
        (
            select min(reached.changed_since) < now() - %(reach)s or count(*) < cardinality(%(entities)b::text[])
            from staging.cursor as reached
            where reached.realm_id = connection.realm_id and reached.entity = any(%(entities)b::text[])
        ),
        true
    ) as is_due
from sync.connection as connection
left join lateral (
    select
        latest.run_id,
        latest.dag_run_id,
        latest.state,
        latest.error
    from sync.run as latest
    where
        latest.company_id = connection.company_id
        and latest.realm_id = connection.realm_id
        and latest.dag_id = 'import_company'
        and latest.started_at >= connection.connected_at
    order by latest.run_id desc
    limit 1
) as run on true
where connection.company_id = %(company_id)s;
