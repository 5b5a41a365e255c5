-- List the connected companies that nobody is at work on: those to sync, and those whose changes reach back too far and
-- need an import. While the quota of reads is used up, one is enough to try it when it is time to, the one that was at
-- work the longest ago; those that somebody asks for are listed all the same.
with oldest as (
    select
        realm_id,
        case when count(*) = cardinality(%(entities)b::text[]) then min(changed_since) end as changed_since
    from staging.cursor
    where entity = any(%(entities)b::text[])
    group by realm_id
),

held as (
    -- An advisory lock shows its 64-bit key in two halves.
    select (locks.classid::bigint << 32) | locks.objid::bigint as company_key
    from pg_locks as locks
    inner join pg_database as databases on locks.database = databases.oid
    where
        locks.locktype = 'advisory'
        and locks.granted
        and locks.objsubid = 1
        and databases.datname = current_database()
),

free as (
    select
        company.company_id,
        company.name,
        connection.realm_id,
        connection.status,
        coalesce(oldest.changed_since < now() - %(reach)s, true) as is_import_due
    from sync.connection as connection
    inner join peakflo.company as company on connection.company_id = company.company_id
    left join oldest on connection.realm_id = oldest.realm_id
    where
        connection.status = 'connected'
        and hashtextextended('company/' || connection.company_id, 0) not in (select held.company_key from held)
),

quota as (
    select
        coalesce(refused_at - refused_since >= %(suspected_after)s, false) as is_used_up,
        coalesce(refused_at + %(probe_every)s <= now(), false) as is_probe_due
    from sync.read_quota
),

probe as (
    select free.company_id
    from free
    left join lateral (
        select run.started_at
        from sync.run as run
        where run.company_id = free.company_id
        order by run.started_at desc
        limit 1
    ) as latest on true
    order by latest.started_at nulls first, free.company_id
    limit 1
)

select
    free.company_id,
    free.name,
    free.realm_id,
    free.status,
    free.is_import_due
from free
cross join quota
left join probe on free.company_id = probe.company_id
where
    not quota.is_used_up
    or (quota.is_probe_due and probe.company_id is not null)
    or free.company_id = any(%(chosen)b::text[])
order by free.company_id;
