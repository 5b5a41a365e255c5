-- Measure how fresh each connected company is, how many there are by status, what cannot sync, and their metered calls.
with company as (
    select
        connection.company_id,
        connection.realm_id,
        connection.status,
        read_interval.late_after
    from sync.connection as connection
    inner join sync.read_interval as read_interval on connection.company_id = read_interval.company_id
),

position as (
    select
        company.company_id,
        company.late_after,
        now() - min(cursor.changed_since) as age
    from company
    inner join staging.cursor as cursor on company.realm_id = cursor.realm_id
    where company.status = 'connected'
    group by company.company_id, company.late_after
)

select
    figure.name,
    json_build_object('company_id', position.company_id) as tags,
    extract(epoch from figure.span) as value
from position
cross join lateral (
    values
    ('freshness_seconds', position.age),
    ('freshness_limit_seconds', position.late_after)
) as figure (name, span)
union all
select
    'companies' as name,
    json_build_object('status', possible.status) as tags,
    count(company.company_id) as value
from unnest(array['connected', 'paused', 'reauthorize', 'disconnected']) as possible (status)
left join company on possible.status = company.status
group by possible.status
union all
select
    'problems_' || possible.direction as name,
    json_build_object('company_id', company.company_id) as tags,
    count(problem.problem_id) as value
from company
cross join unnest(array['inbound', 'outbound', 'connection']) as possible (direction)
left join sync.problem as problem
    on
        company.company_id = problem.company_id
        and company.realm_id = problem.realm_id
        and possible.direction = problem.direction
        and problem.state = 'open'
group by company.company_id, possible.direction
union all
select
    'company_metered_calls_month' as name,
    json_build_object('company_id', company.company_id) as tags,
    coalesce(sum(api_call.metered), 0) as value
from company
left join sync.api_call as api_call
    on
        company.realm_id = api_call.realm_id
        and api_call.day >= date_trunc('month', now() at time zone 'utc')::date
group by company.company_id;
