-- Have each channel told of each open alert that it is for.
insert into sync.alert_message (alert_id, channel_id, kind, due_at)
select
    alert.alert_id,
    channel.channel_id,
    'opened' as kind,
    %(moment)s as due_at
from sync.alert as alert
inner join sync.alert_channel as channel
    on
        channel.company_id in ('', alert.company_id)
        and (channel.level = 'warning' or alert.level = 'danger')
        and (channel.codes is null or alert.code = any(channel.codes))
where
    alert.closed_at is null
    and alert.gone_at is null
    and channel.removed_at is null
order by alert.alert_id, channel.channel_id
on conflict (alert_id, channel_id, kind) do nothing;
