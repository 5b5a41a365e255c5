-- List the channels in use, those first that work.
select
    channel.channel_id,
    channel.name,
    channel.kind,
    channel.connection_id,
    channel.recipients,
    channel.company_id,
    channel.level,
    channel.codes,
    channel.quiet_from,
    channel.quiet_until,
    channel.time_zone,
    channel.created_at,
    channel.created_by,
    channel.last_sent_at,
    channel.failures,
    channel.failing_since,
    channel.last_error
from sync.alert_channel as channel
where channel.removed_at is null and (%(name)s::text is null or channel.name = %(name)s)
order by channel.failures, channel.channel_id;
