-- Count the metered calls of all companies per day of this month and of the days before that tell what a day takes.
with period as (
    select
        least(date_trunc('month', clock.today)::date, clock.today - %(days)s) as first,
        clock.today
    from (select (now() at time zone 'utc')::date as today) as clock
),

counted as (
    select
        api_call.day,
        sum(api_call.metered)::bigint as metered
    from sync.api_call as api_call
    where
        api_call.day >= (select period.first from period)
    group by api_call.day
)

select
    day.day::date as day,
    0 as company,
    coalesce(counted.metered, 0) as app
from period
cross join generate_series(period.first, period.today, interval '1 day') as day (day)
left join counted on day.day::date = counted.day
order by day.day;
