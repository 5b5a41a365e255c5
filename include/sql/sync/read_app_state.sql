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

answered as (
    select min(run.started_at) as started_at
    from sync.run as run
    where run.dag_id = %(dag_id)s and run.state = 'success' and run.started_at >= now() - %(late)s
),

-- How old a proof may be; longer where reads are saved, and for ever where they are kept for reminders.
proof_age as (
    select
        case
            when budget.is_reserved then interval '1000 years'
            when greatest(budget.proven_every, budget.unproven_every) > %(cycle)s
                then %(proved_within)s::interval + %(daily_work_every)s::interval
            else %(proved_within)s::interval
        end as longest
    from (values (true)) as always (is_only)
    left join sync.read_budget as budget on always.is_only = budget.is_only
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
    -- If for some minutes no company was read and some are again, since when.
    case
        when
            not exists (
                select
                from sync.run as earlier
                where
                    earlier.dag_id = %(dag_id)s
                    and earlier.state = 'success'
                    and earlier.started_at < answered.started_at
                    and earlier.started_at >= answered.started_at - %(pause)s
            )
            then answered.started_at
    end as answered_since,
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
    coalesce((select budget.quota from sync.read_budget as budget), %(quota)s) as monthly_reads,
    (
        select proof.made_at
        from proof.proof as proof
        where proof.counts <> '{}'
        order by proof.proof_id desc
        limit 1
    ) as proved_at,
    proof_age.longest as longest_unproved,
    coalesce(worked.is_due, false) as is_proof_due
from cycle
cross join recent
cross join answered
cross join proof_age
cross join forged
-- What had stopped by then, as with a used up quota, has not had a night for proofs since.
left join lateral (
    select true as is_due
    from sync.run as run
    where
        run.dag_id = %(dag_id)s
        and run.state = 'success'
        and run.started_at < now() - proof_age.longest
        and run.started_at >= now() - proof_age.longest - interval '6 hours'
    order by run.started_at desc
    limit 1
) as worked on true;
