-- Measure what all companies share: the month's reads, the alerts that are open, and how long ago they were looked for.
select
    'metered_calls_month' as name,
    '{}'::json as tags,
    coalesce(sum(api_call.metered), 0) as value
from sync.api_call as api_call
where api_call.day >= date_trunc('month', now() at time zone 'utc')::date
union all
select
    figure.name,
    '{}'::json as tags,
    figure.value
from sync.read_budget as budget
cross join lateral (
    values
    ('metered_calls_quota', budget.quota),
    ('metered_calls_forecast', budget.forecast)
) as figure (name, value)
union all
select
    'alerts' as name,
    json_build_object('code', possible.code) as tags,
    count(alert.alert_id) as value
from unnest(%(codes)s::text[]) as possible (code)
left join sync.alert as alert
    on possible.code = alert.code and alert.closed_at is null
group by possible.code
union all
select
    'alerts_looked_for_seconds' as name,
    '{}'::json as tags,
    extract(epoch from now() - evaluation.evaluated_at) as value
from sync.alert_evaluation as evaluation;
