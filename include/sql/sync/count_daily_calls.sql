-- Count the metered calls per day of this month and of the days before that tell what a day takes: of one company, if a
-- realm is given, and of all that share the app's quota; of these, the cycles' own reads and those before reminders.
with today as (
    select (now() at time zone 'utc')::date as day
),

bounds as (
    select
        least(date_trunc('month', today.day)::date, today.day - %(days)s) as since,
        today.day as until
    from today
),

of_company as (
    select
        day,
        sum(metered) as metered
    from sync.api_call
    where realm_id = %(realm_id)s and day >= (select bounds.since from bounds)
    group by day
),

-- By itself, so that the index on the day alone answers it.
of_app as (
    select
        day,
        sum(metered) as metered,
        sum(metered) filter (where dag_id = 'quickbooks_to_peakflo' and kind = 'cdc') as cycles,
        sum(metered) filter (where dag_id = 'refresh_before_reminder') as reminders
    from sync.api_call
    where day >= (select bounds.since from bounds)
    group by day
)

select
    day.day::date as day,
    coalesce(of_company.metered, 0)::bigint as company,
    coalesce(of_app.metered, 0)::bigint as app,
    coalesce(of_app.cycles, 0)::bigint as cycles,
    coalesce(of_app.reminders, 0)::bigint as reminders
from bounds
cross join lateral generate_series(bounds.since, bounds.until, interval '1 day') as day (day)
left join of_company on day.day::date = of_company.day
left join of_app on day.day::date = of_app.day
order by day.day;
