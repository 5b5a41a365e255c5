-- List the verdicts that were kept, each with what it rests on and with the balance that QuickBooks had said in that
-- version of the invoice, as far as that version is still known.
select
    verdict.company_id,
    verdict.reminder_run_id,
    verdict.run_id,
    verdict.invoice_id,
    verdict.verdict,
    jsonb_path_query_array(verdict.reasons, '$[*].code') as reasons,
    verdict.amount_due,
    verdict.customer_total_due as total_due,
    verdict.customer_total_overdue as total_overdue,
    verdict.rules_version,
    verdict.evidence,
    (
        select version.payload ->> 'Balance'
        from peakflo.invoice as invoice
        inner join staging.version as version on invoice.realm_id = version.realm_id
        where
            invoice.company_id = verdict.company_id
            and invoice.id = verdict.invoice_id
            and version.entity = 'invoice'
            and version.qbo_id = verdict.evidence ->> 'qbo_id'
            and version.sync_token = verdict.qbo_sync_token
            and version.qbo_updated_at = (verdict.evidence ->> 'qbo_updated_at')::timestamptz
            and version.deleted_at is null
        order by version.read_at desc
        limit 1
    ) as said_balance
from peakflo.reminder_verdict as verdict
where %(company_id)s::text is null or verdict.company_id = %(company_id)s
order by verdict.company_id, verdict.reminder_run_id, verdict.run_id, verdict.invoice_id;
