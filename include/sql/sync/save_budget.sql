-- Save what was decided for this month's reads, for whoever lists due companies or tells how fresh they are.
insert into sync.read_budget as kept (
    tier, quota, is_limit, forecast, proven_every, unproven_every, is_reserved
)
values (
    %(tier)s, %(quota)s, %(is_limit)s, %(forecast)s, %(proven_every)s, %(unproven_every)s, %(is_reserved)s
)
on conflict (is_only) do update
    set
        decided_at = now(),
        tier = excluded.tier,
        quota = excluded.quota,
        is_limit = excluded.is_limit,
        forecast = excluded.forecast,
        proven_every = excluded.proven_every,
        unproven_every = excluded.unproven_every,
        is_reserved = excluded.is_reserved;
