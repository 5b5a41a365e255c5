-- List the journal entries that QuickBooks has of Peakflo's payments, as far as we know.
select delivery.qbo_id
from outbox.delivery as delivery
where
    delivery.realm_id = %(realm_id)s
    and delivery.leg = 'adjustment'
    and delivery.operation = 'create'
    and delivery.state = 'delivered'
    and not exists (
        select 1
        from outbox.delivery as undoing
        where
            undoing.company_id = delivery.company_id
            and undoing.payment_id = delivery.payment_id
            and undoing.leg = 'adjustment'
            and undoing.operation = 'void'
            and undoing.state = 'delivered'
    )
    and not exists (
        select 1
        from staging.journal_entry as staged
        where
            staged.realm_id = delivery.realm_id
            and staged.qbo_id = delivery.qbo_id
            and staged.deleted_at is not null
    )
order by delivery.qbo_id;
