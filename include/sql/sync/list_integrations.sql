-- List a page of the companies that a search finds, with what a person looks for first.
with listed as materialized (
    select
        company.company_id,
        company.name,
        company.source_name,
        connection.realm_id,
        connection.status
    from sync.connection as connection
    inner join peakflo.company as company on connection.company_id = company.company_id
    where
        (%(status)s::text is null or connection.status = %(status)s)
        and (
            %(pattern)s::text is null
            or company.company_id ilike %(pattern)s
            or company.name ilike %(pattern)s
            or company.source_name ilike %(pattern)s
            or connection.realm_id ilike %(pattern)s
        )
    order by lower(company.name), company.company_id
    limit %(most)s offset %(skipped)s
)

select
    listed.company_id,
    listed.name,
    listed.source_name,
    listed.realm_id,
    listed.status,
    last_run.ended_at as last_sync_at,
    oldest.changed_since as fresh_until,
    read_interval.late_after,
    problems.open_problems,
    deliveries.waiting_payments,
    calls.metered_calls
from listed
inner join sync.read_interval as read_interval on listed.company_id = read_interval.company_id
left join lateral (
    select run.ended_at
    from sync.run as run
    where run.company_id = listed.company_id and run.realm_id = listed.realm_id and run.state = 'success'
    order by run.ended_at desc
    limit 1
) as last_run on true
cross join lateral (
    select min(position.changed_since) as changed_since
    from staging.cursor as position
    where position.realm_id = listed.realm_id
) as oldest
cross join lateral (
    select count(*) as open_problems
    from sync.problem as problem
    where problem.company_id = listed.company_id and problem.realm_id = listed.realm_id and problem.state = 'open'
) as problems
cross join lateral (
    select count(*) as waiting_payments
    from outbox.delivery as delivery
    where delivery.company_id = listed.company_id and delivery.realm_id = listed.realm_id and delivery.kind = 'waits'
) as deliveries
cross join lateral (
    select coalesce(sum(api_call.metered), 0)::bigint as metered_calls
    from sync.api_call as api_call
    where
        api_call.realm_id = listed.realm_id
        and api_call.day >= date_trunc('month', now() at time zone 'utc')::date
) as calls
order by lower(listed.name), listed.company_id;
