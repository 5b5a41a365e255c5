-- Forget some old verdicts, but never the last one on an invoice.
with old as (
    select
        verdict.company_id,
        verdict.reminder_run_id,
        verdict.invoice_id,
        verdict.run_id
    from peakflo.reminder_verdict as verdict
    where
        verdict.judged_at < now() - %(kept_for)s::interval
        and exists (
            select
            from peakflo.reminder_verdict as later
            where
                later.company_id = verdict.company_id
                and later.invoice_id = verdict.invoice_id
                and (later.judged_at, later.run_id) > (verdict.judged_at, verdict.run_id)
        )
    order by verdict.judged_at
    limit %(most)s
)

delete from peakflo.reminder_verdict as verdict
using old
where
    verdict.company_id = old.company_id
    and verdict.reminder_run_id = old.reminder_run_id
    and verdict.invoice_id = old.invoice_id
    and verdict.run_id = old.run_id;
