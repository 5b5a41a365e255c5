-- Count the records that changed in Peakflo, and those that reached QuickBooks, per hour of the last day.
with ended as (
    select
        date_trunc('hour', ended_at) as hour,
        counts,
        dag_id = 'peakflo_to_quickbooks' or starts_with(dag_run_id, 'push__') as is_delivery
    from sync.run
    where
        company_id = %(company_id)s
        and realm_id = %(realm_id)s
        and ended_at >= date_trunc('hour', now()) - interval '23 hours'
)

select
    hour.begins_at,
    coalesce(
        sum((counted.counts ->> 'merged')::bigint + (counted.counts ->> 'deleted')::bigint)
        filter (where not ended.is_delivery),
        0
    )::bigint as inbound,
    coalesce(sum((counted.counts ->> 'merged')::bigint) filter (where ended.is_delivery), 0)::bigint as outbound
from generate_series(
    date_trunc('hour', now()) - interval '23 hours', date_trunc('hour', now()), interval '1 hour'
) as hour (begins_at)
left join ended on hour.begins_at = ended.hour
left join lateral jsonb_each(ended.counts) as counted (entity, counts) on true
group by hour.begins_at
order by hour.begins_at;
