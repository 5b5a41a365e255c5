-- List how companies are connected, how far their books are read, how their last import stands, and when they were
-- proved; of all, or of some.
with oldest as (
    select
        realm_id,
        count(*) as entities,
        min(changed_since) as changed_since
    from staging.cursor
    where entity = any(%(entities)s::text[])
    group by realm_id
),

imported as (
    select distinct on (company_id, realm_id)
        company_id,
        realm_id,
        state,
        started_at,
        ended_at,
        error_code,
        error
    from sync.run
    where
        dag_id = any(%(dag_ids)s::text[])
        and (%(company_ids)s::text[] is null or company_id = any(%(company_ids)s::text[]))
    order by company_id asc, realm_id asc, run_id desc
)

select
    connection.company_id,
    connection.status,
    connection.status_since,
    connection.connected_at,
    connection.last_error,
    connection.refresh_token_hard_expires_at as consent_ends_at,
    oldest.changed_since as fresh_until,
    read_interval.late_after,
    coalesce(oldest.entities = cardinality(%(entities)s::text[]) and oldest.changed_since >= now() - %(reach)s, false)
        as is_imported,
    hashtextextended('company/' || connection.company_id, 0) in (
        select held.lock_key from sync.held_lock as held
    ) as is_held,
    imported.state as import_state,
    imported.started_at as import_started_at,
    imported.ended_at as import_ended_at,
    imported.error_code as import_error_code,
    imported.error as import_error,
    proved.made_at as proved_at,
    tried.reason as proof_error,
    now() as read_at
from sync.connection as connection
inner join sync.read_interval as read_interval on connection.company_id = read_interval.company_id
left join oldest on connection.realm_id = oldest.realm_id
left join imported
    on
        connection.company_id = imported.company_id
        and connection.realm_id = imported.realm_id
        and connection.connected_at <= imported.started_at
left join lateral (
    select proof.made_at
    from proof.proof as proof
    where
        proof.company_id = connection.company_id
        and proof.realm_id = connection.realm_id
        and proof.counts <> '{}'
    order by proof.proof_id desc
    limit 1
) as proved on true
left join lateral (
    select proof.reason
    from proof.proof as proof
    where proof.company_id = connection.company_id and proof.realm_id = connection.realm_id
    order by proof.proof_id desc
    limit 1
) as tried on true
where %(company_ids)s::text[] is null or connection.company_id = any(%(company_ids)s::text[])
order by connection.company_id;
