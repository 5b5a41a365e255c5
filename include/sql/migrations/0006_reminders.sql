-- Verdicts before reminders with their evidence, and runs beside which others of the company may run.
alter table peakflo.reminder_verdict
-- The sync.run that read and judged: a reminder run that is cleared judges again beside what it said first.
add column run_id bigint not null,
add column customer_id uuid,
-- When it was due, and whether QuickBooks says so, its payment terms do, or nothing but the date of the invoice.
add column due_date date,
add column due_date_basis text,
-- All that the verdict rests on, from which it can be judged again, and by which rules it was judged.
add column evidence jsonb not null default '{}',
add column rules_version integer not null,
add column judged_at timestamptz not null default clock_timestamp(),
drop constraint reminder_verdict_pkey,
add primary key (company_id, reminder_run_id, invoice_id, run_id);

create index on peakflo.reminder_verdict (company_id, invoice_id, judged_at desc);

-- The little money that is not applied yet, and the few payments that are still to come.
create index on peakflo.payment (company_id, customer_id)
where unapplied_amount > 0 and status = 'active' and deleted_at is null;
create index on peakflo.credit_note (company_id, customer_id) where status = 'open' and deleted_at is null;
create index on peakflo.payment (company_id, payment_date);

-- The last word on each invoice.
create view peakflo.latest_verdict as
select distinct on (verdict.company_id, verdict.invoice_id)
    verdict.company_id,
    verdict.invoice_id,
    invoice.invoice_number,
    invoice.realm_id,
    invoice.source_id,
    verdict.verdict,
    verdict.reasons,
    verdict.amount_due,
    verdict.currency,
    verdict.due_date,
    verdict.due_date_basis,
    verdict.customer_id,
    verdict.customer_total_due,
    verdict.customer_total_overdue,
    verdict.qbo_sync_token,
    verdict.read_at,
    verdict.expires_at,
    verdict.judged_at,
    verdict.reminder_run_id,
    verdict.run_id,
    verdict.evidence,
    verdict.rules_version
from peakflo.reminder_verdict as verdict
left join peakflo.invoice as invoice
    on verdict.company_id = invoice.company_id and verdict.invoice_id = invoice.id
order by verdict.company_id asc, verdict.invoice_id asc, verdict.judged_at desc, verdict.run_id desc;

-- Whether the run holds its company: whoever holds it next knows that this one has ended.
alter table sync.run add column is_exclusive boolean not null default true;
