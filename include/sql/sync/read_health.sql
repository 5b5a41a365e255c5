-- Read how late the sync is: the oldest of each kind, in seconds, and counts; no names.
with company as materialized (
    select
        connection.company_id,
        connection.realm_id,
        connection.status
    from sync.connection as connection
    where connection.status in ('connected', 'reauthorize')
),

freshness as (
    select
        min(position.changed_since) as oldest,
        max(now() - position.changed_since - read_interval.late_after) as overdue
    from staging.cursor as position
    inner join company on position.realm_id = company.realm_id
    inner join sync.read_interval as read_interval on company.company_id = read_interval.company_id
    where company.status = 'connected'
),

queue as (
    select min(payment.queued_at) as oldest
    from outbox.queue as payment
    inner join company on payment.company_id = company.company_id
    where company.status = 'connected'
),

message as (
    select count(*) as waiting
    from sync.alert_message as planned
    inner join sync.alert_channel as channel on planned.channel_id = channel.channel_id
    where planned.sent_at is null and planned.dropped_at is null and channel.removed_at is null
)

select
    extract(epoch from now() - freshness.oldest)::bigint as oldest_freshness_seconds,
    extract(epoch from freshness.overdue)::bigint as overdue_seconds,
    extract(epoch from now() - queue.oldest)::bigint as oldest_queued_payment_seconds,
    extract(epoch from now() - evaluation.evaluated_at)::bigint as alert_evaluation_seconds,
    (
        select count(*)
        from company
        where company.status = 'connected'
    ) as connected,
    (
        select count(*)
        from company
        where company.status = 'reauthorize'
    ) as needing_reconnect,
    (
        select count(*)
        from sync.alert as alert
        where alert.closed_at is null
    ) as open_alerts,
    message.waiting as waiting_messages
from freshness
cross join queue
cross join message
left join sync.alert_evaluation as evaluation on true;
