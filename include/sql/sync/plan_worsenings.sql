-- Have those told that an alert has become dangerous who were told of a warning.
insert into sync.alert_message (alert_id, channel_id, kind, due_at)
select
    opening.alert_id,
    opening.channel_id,
    'worsened' as kind,
    %(moment)s as due_at
from sync.alert as alert
inner join sync.alert_message as opening on alert.alert_id = opening.alert_id and opening.kind = 'opened'
where
    alert.closed_at is null
    and alert.gone_at is null
    and alert.level = 'danger'
    and opening.told_level = 'warning'
on conflict (alert_id, channel_id, kind) do nothing;
