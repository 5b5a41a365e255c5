-- Read what tells whether the DAGs run, what refused webhooks there were of late, and how many reads the month has had.
with latest as materialized (
    select dag_run_id
    from sync.run
    where dag_id = %(dag_id)s
    order by started_at desc
    limit 1
),

-- By itself: to find the first of them, the planner would go through all others by their time.
began as materialized (
    select run.started_at
    from sync.run as run
    inner join latest on run.dag_run_id = latest.dag_run_id
    where run.dag_id = %(dag_id)s
),

-- A cycle in which the budget lets all companies wait has no run.
cycle as (
    select greatest(min(began.started_at), (select budget.decided_at from sync.read_budget as budget)) as started_at
    from began
),

recent as (
    select min(run.started_at) as started_at
    from sync.run as run
    where run.dag_id = %(dag_id)s and run.started_at >= now() - %(late)s
),

forged as (
    select
        sum(total) as deliveries,
        min(first_at) as first_at
    from sync.webhook_count
    where outcome = 'forged' and last_at > now() - %(period)s and began_at > now() - 2 * %(period)s
)

select
    now() as read_at,
    cycle.started_at as cycle_started_at,
    -- If the cycles had stopped and go on again, since when.
    case
        when
            not exists (
                select
                from sync.run as earlier
                where
                    earlier.dag_id = %(dag_id)s
                    and earlier.started_at < recent.started_at
                    and earlier.started_at >= recent.started_at - %(late)s
            )
            then recent.started_at
    end as cycles_since,
    (
        select min(greatest(queue.queued_at, connection.connected_at, connection.status_since))
        from outbox.queue as queue
        inner join sync.connection as connection on queue.company_id = connection.company_id
        where connection.status = 'connected'
    ) as queued_since,
    (
        select max(run.started_at)
        from sync.run as run
        where run.dag_id = %(delivery_dag_id)s
    ) as delivered_at,
    coalesce(forged.deliveries, 0)::bigint as forged,
    forged.first_at as forged_since,
    (
        select coalesce(sum(api_call.metered), 0)::bigint
        from sync.api_call as api_call
        where api_call.day >= date_trunc('month', now() at time zone 'utc')::date
    ) as metered_calls,
    coalesce((select budget.quota from sync.read_budget as budget), %(quota)s) as monthly_reads
from cycle
cross join recent
cross join forged;
