-- Remove a channel: it is told nothing more.
update sync.alert_channel
set removed_at = now()
where name = %(name)s and removed_at is null
returning channel_id;
