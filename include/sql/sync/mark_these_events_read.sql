-- Mark events as read whose records were read by Id.
update sync.webhook_event
set read_at = now()
where event_id = any(%(event_ids)b::text[]) and read_at is null;
