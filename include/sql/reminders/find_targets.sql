-- Find the invoices that a reminder run is about: those named, and the open ones of the customers named or of all.
select
    named.invoice_id,
    mapped.qbo_id,
    mapped.qbo_id is null
    and exists (
        select 1
        from peakflo.company as company
        inner join peakflo.invoice as invoice on company.company_id = invoice.company_id
        where invoice.id = named.invoice_id
    ) as is_elsewhere
from unnest(%(invoice_ids)b::uuid[]) as named (invoice_id)
left join mapping.invoice as mapped on mapped.realm_id = %(realm_id)s and named.invoice_id = mapped.peakflo_id
union
select
    invoice.id as invoice_id,
    invoice.source_id as qbo_id,
    false as is_elsewhere
from peakflo.invoice as invoice
where
    invoice.company_id = %(company_id)s
    and invoice.realm_id = %(realm_id)s
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
