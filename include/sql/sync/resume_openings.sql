-- Who has not been told yet that an alert is over need not be told that its cause is back: the new one goes on from it.
with resumed as (
    update sync.alert_message as closing
    set dropped_at = %(moment)s
    from sync.alert as earlier
    inner join sync.alert as alert
        on
            earlier.company_id = alert.company_id
            and earlier.code = alert.code
            and earlier.detail = alert.detail
            and alert.closed_at is null
            and alert.gone_at is null
    where
        closing.alert_id = earlier.alert_id
        and closing.kind = 'closed'
        and closing.sent_at is null
        and closing.dropped_at is null
        and closing.claimed_at is null
    returning alert.alert_id, closing.channel_id, earlier.alert_id as earlier_id
)

insert into sync.alert_message (alert_id, channel_id, kind, due_at, told_level, sent_at)
select
    resumed.alert_id,
    resumed.channel_id,
    'opened' as kind,
    %(moment)s as due_at,
    min(message.told_level) as told_level,
    min(message.sent_at) as sent_at
from resumed
inner join sync.alert_message as message
    on
        resumed.earlier_id = message.alert_id
        and resumed.channel_id = message.channel_id
        and message.kind in ('opened', 'worsened')
        and message.sent_at is not null
group by resumed.alert_id, resumed.channel_id
on conflict (alert_id, channel_id, kind) do nothing;
