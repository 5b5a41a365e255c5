-- List how old each entity was at worst in each slice of the last day. A run that read an entity knows it as of the
-- run's start; from its end until the end of the next one, that grows older.
with moment as materialized (
    select
        now() - %(period)s as since,
        now() as until
),

entity as (
    select unnest(%(entities)b::text[]) as entity
),

-- The runs of the period, and per entity the last one before it.
read as (
    select
        entity.entity,
        run.started_at,
        run.ended_at
    from entity
    cross join moment
    inner join sync.run as run
        on
            moment.since <= run.ended_at
            and run.company_id = %(company_id)s
            and run.realm_id = %(realm_id)s
            and run.state = 'success'
            and run.counts ? entity.entity
    where
        run.dag_id = any(%(dag_ids)b::text[])
        or (run.dag_id = 'bin/receivables' and run.dag_run_id similar to '(sync|import|reconcile)\_\_%%')
    union all
    select
        entity.entity,
        earlier.started_at,
        earlier.ended_at
    from entity
    cross join moment
    cross join lateral (
        select
            run.started_at,
            run.ended_at
        from sync.run as run
        where
            run.company_id = %(company_id)s
            and run.realm_id = %(realm_id)s
            and run.state = 'success'
            and run.counts ? entity.entity
            and run.ended_at < moment.since
            and (
                run.dag_id = any(%(dag_ids)b::text[])
                or (run.dag_id = 'bin/receivables' and run.dag_run_id similar to '(sync|import|reconcile)\_\_%%')
            )
        order by run.ended_at desc
        limit 1
    ) as earlier
),

known as (
    select
        entity,
        started_at,
        ended_at,
        lead(ended_at, 1, (select moment.until from moment)) over (
            partition by entity
            order by ended_at
        ) as replaced_at
    from read
),

slice as (
    select
        slice.begins_at,
        slice.begins_at + %(period)s / %(slices)s as ends_at
    from moment
    cross join lateral generate_series(
        moment.since, moment.until - %(period)s / %(slices)s, %(period)s / %(slices)s
    ) as slice (begins_at)
)

select
    entity.entity,
    slice.begins_at,
    max(extract(epoch from least(known.replaced_at, slice.ends_at) - known.started_at))::integer as seconds
from entity
cross join slice
left join known
    on
        entity.entity = known.entity
        and slice.ends_at > known.ended_at
        and slice.begins_at <= known.replaced_at
group by entity.entity, slice.begins_at
order by entity.entity, slice.begins_at;
