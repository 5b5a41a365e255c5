-- Take the changes of some companies that nobody was told of, each once: what the runs that made them have counted.
-- What somebody else is about to take is left to them: to wait for each other could go round in a circle.
with untold as (
    select run_id
    from sync.run
    where company_id = any(%(company_ids)s) and has_news
    order by run_id
    for update skip locked
),

taken as (
    update sync.run as run
    set has_news = false
    from untold
    where run.run_id = untold.run_id
    returning run.company_id, run.realm_id, run.run_id, run.counts
),

counted as (
    select
        taken.company_id,
        taken.realm_id,
        entity.name,
        jsonb_build_object(
            'merged', sum((entity.counts ->> 'merged')::bigint), 'deleted', sum((entity.counts ->> 'deleted')::bigint)
        ) as counts
    from taken
    cross join lateral jsonb_each(taken.counts) as entity (name, counts)
    group by taken.company_id, taken.realm_id, entity.name
    having sum((entity.counts ->> 'merged')::bigint + (entity.counts ->> 'deleted')::bigint) > 0
)

select
    taken.company_id,
    taken.realm_id,
    array_agg(taken.run_id order by taken.run_id) as run_ids,
    coalesce(
        (
            select jsonb_object_agg(counted.name, counted.counts)
            from counted
            where counted.company_id = taken.company_id and counted.realm_id = taken.realm_id
        ),
        '{}'
    ) as entities
from taken
group by taken.company_id, taken.realm_id
order by taken.company_id, taken.realm_id;
