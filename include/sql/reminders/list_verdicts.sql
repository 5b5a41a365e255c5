-- List the verdicts of a check, one page of them, as a reminder run answers them.
select
    invoice_id,
    verdict,
    jsonb_path_query_array(reasons, '$[*].code') as reasons,
    amount_due,
    currency,
    due_date,
    due_date_basis,
    customer_total_due,
    customer_total_overdue,
    case when verdict <> 'unknown' and read_at is not null then expires_at end as expires_at
from peakflo.reminder_verdict
where
    company_id = %(company_id)s
    and reminder_run_id = %(dag_run_id)s
    and run_id = %(run_id)s
    and (%(after)s::uuid is null or invoice_id > %(after)s::uuid)
order by invoice_id
limit %(most)s;
