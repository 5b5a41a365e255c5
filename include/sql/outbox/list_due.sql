-- List a company's payments to look at: those on which something changed, and those that have not come to rest, unless
-- what all of them wait for is still not there. Those come first of which nobody knows what became, then those queued
-- first.
select
    delivery.payment_id,
    queue.payment_id is not null as is_queued
from outbox.delivery as delivery
left join outbox.queue as queue
    on delivery.company_id = queue.company_id and delivery.payment_id = queue.payment_id
left join sync.company_setting as setting on delivery.company_id = setting.company_id
where
    delivery.company_id = %(company_id)s
    and (
        queue.payment_id is not null
        or (
            delivery.kind <> 'agrees'
            and (delivery.code <> 'auto_sync_off' or coalesce(setting.auto_sync, true))
            and (delivery.code <> 'other_books' or delivery.realm_id = %(realm_id)s)
        )
    )
order by delivery.code = 'undecided' desc, queue.queued_at asc nulls last, delivery.delivery_id asc;
