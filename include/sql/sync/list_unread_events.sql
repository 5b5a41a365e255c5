-- List a company's unread events.
select
    event_id,
    entity,
    qbo_id,
    operation
from sync.webhook_event
where realm_id = %(realm_id)s and read_at is null;
