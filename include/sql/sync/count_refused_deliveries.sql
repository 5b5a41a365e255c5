-- Count webhook deliveries that were refused, by the reason.
insert into sync.webhook_count as kept (began_at, outcome, total)
select
    date_trunc('hour', now()) as began_at,
    reason,
    total
from unnest(%(reasons)b::text[], %(totals)b::bigint[]) as refused (reason, total)
order by reason
on conflict (began_at, outcome) do update
    set total = kept.total + excluded.total, last_at = excluded.last_at;
