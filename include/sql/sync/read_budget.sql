-- Read what was decided last for the month's reads, if anything was, and how many of them are used.
select
    budget.tier,
    budget.quota,
    budget.is_limit,
    budget.forecast,
    budget.proven_every,
    budget.unproven_every,
    budget.is_reserved,
    used.used,
    (
        select count(*)
        from sync.connection as connection
        where connection.status = 'connected'
    ) as companies
from (
    select coalesce(sum(metered), 0)::bigint as used
    from sync.api_call
    where day >= date_trunc('month', now() at time zone 'utc')::date
) as used
left join sync.read_budget as budget on true;
