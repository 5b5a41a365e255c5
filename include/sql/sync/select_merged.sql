-- List the records that unread events say were merged, or that others were merged into.
select
    entity,
    array_agg(distinct qbo_id order by qbo_id) as qbo_ids
from sync.webhook_event
where realm_id = %(realm_id)s and read_at is null and operation = 'merge'
group by entity
order by entity;
