-- Count the metered calls per day of this month and of the days before that tell what a day takes: of one company, and
-- of all that share the app's quota.
with today as (
    select (now() at time zone 'utc')::date as day
),

bounds as (
    select
        least(date_trunc('month', today.day)::date, today.day - %(days)s) as since,
        today.day as until
    from today
),

counted as (
    select
        day,
        sum(metered) filter (where realm_id = %(realm_id)s) as company,
        sum(metered) as app
    from sync.api_call
    where day >= (select bounds.since from bounds)
    group by day
)

select
    day.day::date as day,
    coalesce(counted.company, 0)::bigint as company,
    coalesce(counted.app, 0)::bigint as app
from bounds
cross join lateral generate_series(bounds.since, bounds.until, interval '1 day') as day (day)
left join counted on day.day::date = counted.day
order by day.day;
