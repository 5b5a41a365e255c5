-- Keep the verdicts of a reminder run.
insert into peakflo.reminder_verdict (
    company_id, reminder_run_id, invoice_id, run_id, customer_id, verdict, reasons, amount_due, currency,
    due_date, due_date_basis, customer_total_due, customer_total_overdue, qbo_sync_token, read_at, expires_at, evidence,
    rules_version
)
select
    %(company_id)s as company_id,
    %(dag_run_id)s as reminder_run_id,
    given.invoice_id,
    %(run_id)s as run_id,
    given.customer_id,
    given.verdict,
    given.reasons,
    given.amount_due,
    given.currency,
    given.due_date,
    given.due_date_basis,
    given.customer_total_due,
    given.customer_total_overdue,
    given.qbo_sync_token,
    given.read_at,
    coalesce(given.expires_at, now()) as expires_at,
    given.evidence,
    %(rules_version)s as rules_version
from jsonb_to_recordset(%(verdicts)s::jsonb) as given (
    invoice_id uuid,
    customer_id uuid,
    verdict text,
    reasons jsonb,
    amount_due numeric,
    currency text,
    due_date date,
    due_date_basis text,
    customer_total_due numeric,
    customer_total_overdue numeric,
    qbo_sync_token integer,
    read_at timestamptz,
    expires_at timestamptz,
    evidence jsonb
);
