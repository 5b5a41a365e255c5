-- Find the open invoices among those that just changed in QuickBooks, of the customers named or of all.
select
    invoice.id as invoice_id,
    invoice.source_id as qbo_id,
    false as is_elsewhere
from peakflo.invoice as invoice
where
    invoice.company_id = %(company_id)s
    and invoice.realm_id = %(realm_id)s
    and invoice.source_id = any(%(qbo_ids)b::text[])
    and invoice.status = 'sent'
    and invoice.deleted_at is null
    and (
        %(is_all)s
        or invoice.customer_id = any(%(customer_ids)b::uuid[])
        -- A customer that was merged goes on as another.
        or invoice.customer_id in (
            select merged.survivor_id
            from mapping.customer_merge as merged
            where merged.realm_id = %(realm_id)s and merged.peakflo_id = any(%(customer_ids)b::uuid[])
        )
    );
