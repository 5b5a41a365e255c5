-- Apply a payment to the open invoices of the same customer, number and amount that took the place of invoices that are
-- gone.
update peakflo.payment_allocation as allocation
set
    target_id = remade.id,
    target_source_id = remade.source_id
from peakflo.invoice as gone
inner join peakflo.invoice as remade
    on
        gone.company_id = remade.company_id
        and gone.realm_id = remade.realm_id
        and gone.customer_id = remade.customer_id
        and gone.invoice_number = remade.invoice_number
        and gone.total_amount = remade.total_amount
where
    allocation.company_id = %(company_id)s
    and allocation.payment_id = %(payment_id)s
    and allocation.target_type = 'invoice'
    and gone.company_id = allocation.company_id
    and gone.id = allocation.target_id
    and (gone.deleted_at is not null or gone.status = 'cancelled')
    and remade.status = 'sent'
    and remade.deleted_at is null;
