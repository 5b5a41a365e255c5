-- Have those told that an alert is over who were told of it, or may have been.
insert into sync.alert_message (alert_id, channel_id, kind, due_at)
select
    opening.alert_id,
    opening.channel_id,
    'closed' as kind,
    %(moment)s as due_at
from sync.alert as alert
inner join sync.alert_message as opening on alert.alert_id = opening.alert_id and opening.kind = 'opened'
where alert.closed_at = %(moment)s and (opening.sent_at is not null or opening.claimed_at is not null)
on conflict (alert_id, channel_id, kind) do nothing;
