-- List what stood for a delivery in QuickBooks once and does no more.
select qbo_id
from outbox.former_record
where delivery_id = %(delivery_id)s;
