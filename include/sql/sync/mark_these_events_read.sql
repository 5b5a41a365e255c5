-- Mark events as read whose records were read by Id.
update sync.webhook_event as event
set read_at = now()
from unnest(
    %(event_ids)b::text[],
    %(entities)b::text[],
    %(qbo_ids)b::text[]
) as those (event_id, entity, qbo_id)
where
    event.realm_id = %(realm_id)s
    and event.event_id = those.event_id
    and event.entity = those.entity
    and event.qbo_id = those.qbo_id
    and event.read_at is null;
