-- List the companies with the state of their connection and how fresh their records are.
with last_run as (
    select distinct on (company_id, realm_id)
        company_id,
        realm_id,
        dag_id,
        ended_at
    from sync.run
    where state = 'success'
    order by company_id asc, realm_id asc, started_at desc
),

oldest as (
    select
        realm_id,
        min(changed_since) as changed_since
    from staging.cursor
    group by realm_id
),

problem as (
    select
        company_id,
        realm_id,
        count(*) as open_problems
    from sync.problem
    where state = 'open'
    group by company_id, realm_id
)

select
    company.company_id,
    company.name,
    company.source_name,
    company.home_currency,
    connection.realm_id,
    connection.status,
    connection.connected_at,
    connection.last_error,
    connection.refresh_token_expires_at,
    connection.refresh_token_hard_expires_at,
    last_run.ended_at as last_sync_at,
    last_run.dag_id as last_sync_dag,
    oldest.changed_since as fresh_until,
    extract(epoch from now() - oldest.changed_since)::integer as freshness_seconds,
    coalesce(problem.open_problems, 0) as open_problems
from sync.connection as connection
inner join peakflo.company as company on connection.company_id = company.company_id
left join last_run
    on connection.company_id = last_run.company_id and connection.realm_id = last_run.realm_id
left join oldest on connection.realm_id = oldest.realm_id
left join problem
    on connection.company_id = problem.company_id and connection.realm_id = problem.realm_id
where %(company_id)s::text is null or connection.company_id = %(company_id)s
order by company.company_id;
