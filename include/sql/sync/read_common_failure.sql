-- Read why companies cannot be read, if for some minutes none was and several have it in common: the newest failure of
-- most of them, as QuickBooks or a key that is wrong for all makes it. What is told otherwise is left out.
with failing as (
    select distinct on (problem.company_id)
        problem.company_id,
        problem.code,
        problem.message,
        problem.cure,
        problem.actor,
        problem.first_seen_at,
        problem.last_seen_at
    from sync.problem as problem
    inner join sync.connection as connection
        on problem.company_id = connection.company_id and problem.realm_id = connection.realm_id
    where
        problem.state = 'open'
        and problem.direction = 'connection'
        and problem.code <> all(%(others)s::text[])
        and connection.status = 'connected'
        and exists (
            select
            from staging.cursor as position
            where position.realm_id = connection.realm_id
        )
    order by problem.company_id asc, problem.last_seen_at desc
),

answered as (
    select max(run.started_at) as started_at
    from sync.run as run
    where run.dag_id = %(dag_id)s and run.state = 'success' and run.started_at >= now() - %(late)s::interval
)

select
    failing.code,
    count(*) as companies,
    min(failing.first_seen_at) as since,
    (array_agg(failing.message order by failing.last_seen_at desc))[1] as message,
    (array_agg(failing.cure order by failing.last_seen_at desc))[1] as remedy,
    (array_agg(failing.actor order by failing.last_seen_at desc))[1] as owner,
    answered.started_at as answered_at
from failing
cross join answered
where answered.started_at is null or answered.started_at < now() - %(pause)s::interval
group by failing.code, answered.started_at
having count(*) >= 2
order by count(*) desc, failing.code asc
limit 1;
