-- Measure Peakflo's payments that are not in QuickBooks as they should be, by where they stand: how many, and how long
-- the oldest has; and those that were made or undone in the last hour.
with standing as (
    select
        delivery.company_id,
        delivery.kind as state,
        count(*) as payments,
        min(delivery.since) as oldest
    from outbox.delivery as delivery
    where delivery.kind <> 'agrees'
    group by delivery.company_id, delivery.kind
    union all
    select
        queue.company_id,
        'queued' as state,
        count(*) as payments,
        min(queue.queued_at) as oldest
    from outbox.queue as queue
    group by queue.company_id
),

measured as (
    select
        'payments_' || possible.word as name,
        json_build_object('company_id', company.company_id) as tags,
        coalesce(standing.payments, 0) as payments,
        coalesce(extract(epoch from now() - standing.oldest), 0) as age
    from sync.connection as company
    cross join (
        values
        ('queued', 'queued'),
        ('waits', 'waiting'),
        ('differs', 'differing'),
        ('ignored', 'ignored')
    ) as possible (state, word)
    left join standing on company.company_id = standing.company_id and possible.state = standing.state
)

select
    measured.name,
    measured.tags,
    measured.payments as value
from measured
union all
select
    measured.name || '_oldest_seconds' as name,
    measured.tags,
    measured.age as value
from measured
union all
select
    'payments_delivered_hour' as name,
    json_build_object('company_id', company.company_id) as tags,
    coalesce(sum((run.counts -> 'payment' ->> 'merged')::bigint), 0) as value
from sync.connection as company
left join sync.run as run
    on
        company.company_id = run.company_id
        and run.dag_id = %(dag_id)s
        and run.started_at >= now() - interval '1 hour'
group by company.company_id;
