-- Claim what a channel is to be told now, as one message: one that was handed over with an unknown end once more, else
-- all that is new. Whoever claims for the same channel waits, and finds what is claimed then.
with channel as materialized (
    select channel.*
    from sync.alert_channel as channel
    where channel.channel_id = %(channel_id)s and channel.removed_at is null
    for no key update
),

due as materialized (
    select
        message.message_id,
        message.batch_id
    from sync.alert_channel as channel
    inner join channel as locked on channel.channel_id = locked.channel_id
    inner join sync.alert_message as message on channel.channel_id = message.channel_id
    inner join sync.alert as alert on message.alert_id = alert.alert_id
    where
        message.sent_at is null
        and message.dropped_at is null
        and (message.claimed_at is null or message.claimed_at <= %(moment)s - %(lease)s::interval)
        and (alert.level = 'danger' or message.claimed_at is not null or not sync.is_quiet(channel, %(moment)s))
        -- What is not seen at the moment may be over, and is not told then.
        and (message.kind = 'closed' or alert.gone_at is null or message.claimed_at is not null)
        -- What is told of one cause is told in its order.
        and not exists (
            select
            from sync.alert_message as earlier
            inner join sync.alert as earlier_alert on earlier.alert_id = earlier_alert.alert_id
            where
                earlier.channel_id = message.channel_id
                and earlier.message_id < message.message_id
                and earlier.sent_at is null
                and earlier.dropped_at is null
                and earlier_alert.company_id = alert.company_id
                and earlier_alert.code = alert.code
                and earlier_alert.detail = alert.detail
        )
    order by message.message_id
    for update of message
),

chosen as (
    select due.message_id
    from due
    where due.batch_id is not distinct from (
        select begun.batch_id
        from due as begun
        where begun.batch_id is not null
        order by begun.message_id
        limit 1
    )
    order by due.message_id
    limit %(most)s
)

update sync.alert_message as message
set
    claimed_at = %(moment)s,
    batch_id = coalesce(message.batch_id, %(batch_id)s),
    attempts = message.attempts + 1,
    told_level = alert.level
from chosen
inner join sync.alert_message as claimed on chosen.message_id = claimed.message_id
inner join sync.alert as alert on claimed.alert_id = alert.alert_id
left join peakflo.company as company on alert.company_id = company.company_id
where message.message_id = chosen.message_id
returning
    message.batch_id,
    message.message_id,
    message.kind,
    alert.company_id,
    company.name as company_name,
    alert.code,
    alert.detail,
    alert.level,
    alert.sentence,
    alert.remedy,
    alert.owner,
    alert.amounts,
    alert.count,
    coalesce(alert.since, alert.opened_at) as since,
    alert.gone_at;
