-- Forget some versions that were replaced long ago. What a kept verdict was judged on stays, and so does what the
-- invoices were that Peakflo's payments outside QuickBooks are for.
with kept_invoice as (
    select
        invoice.realm_id,
        invoice.source_id,
        verdict.qbo_sync_token as sync_token
    from peakflo.reminder_verdict as verdict
    inner join peakflo.invoice as invoice
        on verdict.company_id = invoice.company_id and verdict.invoice_id = invoice.id
    union
    select
        invoice.realm_id,
        invoice.source_id,
        null as sync_token
    from outbox.outside_payment as payment
    inner join peakflo.payment_allocation as allocation
        on payment.company_id = allocation.company_id and payment.payment_id = allocation.payment_id
    inner join peakflo.invoice as invoice
        on allocation.company_id = invoice.company_id and allocation.target_id = invoice.id
),

old as (
    select
        history.realm_id,
        history.entity,
        history.qbo_id,
        history.version_id
    from staging.history as history
    where
        history.replaced_at < now() - %(kept_for)s::interval
        and not exists (
            select
            from kept_invoice
            where
                history.entity = 'invoice'
                and kept_invoice.realm_id = history.realm_id
                and kept_invoice.source_id = history.qbo_id
                and coalesce(kept_invoice.sync_token, history.sync_token) = history.sync_token
        )
    order by history.replaced_at
    limit %(most)s
)

delete from staging.history as history
using old
where
    history.realm_id = old.realm_id
    and history.entity = old.entity
    and history.qbo_id = old.qbo_id
    and history.version_id = old.version_id;
