-- Count webhook deliveries that were refused, by the reason.
insert into sync.webhook_count as kept (day, outcome, total, last_at)
select
    (now() at time zone 'utc')::date as day,
    reason,
    total,
    now() as last_at
from unnest(%(reasons)b::text[], %(totals)b::bigint[]) as refused (reason, total)
order by reason
on conflict (day, outcome) do update
    set total = kept.total + excluded.total, last_at = excluded.last_at;
