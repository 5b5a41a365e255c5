-- List the connected companies that nobody is at work on: those to sync, and those whose changes reach back too far and
-- need an import. If intervals are kept, one that was read a shorter while ago is left out, unless an event is unread
-- or its last run did not go through. While the quota of reads is used up, or what is left of it is for reminders, one
-- an hour is enough, the one that was at work the longest ago. Those that somebody asks for are listed all the same.
with oldest as (
    select
        realm_id,
        case when count(*) = cardinality(%(entities)b::text[]) then min(changed_since) end as changed_since
    from staging.cursor
    where entity = any(%(entities)b::text[])
    group by realm_id
),

free as (
    select
        company.company_id,
        company.name,
        connection.realm_id,
        connection.status,
        coalesce(oldest.changed_since < now() - %(reach)s, true) as is_import_due,
        latest.started_at as tried_at,
        %(at_intervals)s::boolean
        and read_interval.read_every > %(cycle)s::interval
        -- A cycle begins a little sooner or later.
        and coalesce(oldest.changed_since > now() - read_interval.read_every + %(cycle)s::interval / 2, false)
        and coalesce(latest.state = 'success', false)
        and not exists (
            select 1
            from sync.webhook_event as event
            where event.realm_id = connection.realm_id and event.read_at is null
        ) as is_early
    from sync.connection as connection
    inner join peakflo.company as company on connection.company_id = company.company_id
    inner join sync.read_interval as read_interval on connection.company_id = read_interval.company_id
    left join oldest on connection.realm_id = oldest.realm_id
    left join lateral (
        select
            run.started_at,
            run.state
        from sync.run as run
        where run.company_id = connection.company_id and run.dag_id <> 'peakflo_to_quickbooks'
        order by run.started_at desc
        limit 1
    ) as latest on true
    where
        connection.status = 'connected'
        and hashtextextended('company/' || connection.company_id, 0) not in (
            select held.lock_key from sync.held_lock as held
        )
),

quota as (
    select
        refused.is_used_up or coalesce(budget.is_reserved, false) as is_used_up,
        case
            when refused.is_used_up then refused.refused_at
            else (select max(oldest.changed_since) from oldest)
        end + %(probe_every)s <= now() as is_probe_due
    from (
        select
            refused_at,
            coalesce(refused_at - refused_since >= %(suspected_after)s, false) as is_used_up
        from sync.read_quota
    ) as refused
    left join sync.read_budget as budget on true
),

probe as (
    select company_id
    from free
    order by tried_at nulls first, company_id
    limit 1
)

select
    free.company_id,
    free.name,
    free.realm_id,
    free.status,
    free.is_import_due
from free
cross join quota
left join probe on free.company_id = probe.company_id
where
    (not quota.is_used_up and not free.is_early)
    or (quota.is_probe_due and probe.company_id is not null)
    or free.company_id = any(%(chosen)b::text[])
order by free.company_id;
