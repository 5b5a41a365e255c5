-- Add a channel, unless there is one of its name.
insert into sync.alert_channel (
    name, kind, connection_id, recipients, company_id, level, codes, quiet_from, quiet_until, time_zone, created_by
)
values (
    %(name)s, %(kind)s, %(connection_id)s, %(recipients)s::text[], %(company_id)s, %(level)s, %(codes)s::text[],
    %(quiet_from)s, %(quiet_until)s, %(time_zone)s, %(actor)s
)
on conflict (name) where removed_at is null do nothing
returning channel_id;
