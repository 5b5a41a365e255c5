-- Count a webhook delivery that was refused, by the reason.
insert into sync.webhook_count as kept (day, outcome, total, last_at)
values ((now() at time zone 'utc')::date, %(reason)s, 1, now())
on conflict (day, outcome) do update
    set total = kept.total + 1, last_at = excluded.last_at;
