-- Read the last check of a reminder run: a run that was cleared has several, and the last one counts.
select
    run.run_id,
    run.state,
    run.error,
    count(*) filter (where verdict.verdict = 'send') as send,
    count(*) filter (where verdict.verdict = 'hold') as hold,
    count(*) filter (where verdict.verdict = 'unknown') as unknown
from sync.run as run
left join peakflo.reminder_verdict as verdict
    on
        run.company_id = verdict.company_id
        and run.dag_run_id = verdict.reminder_run_id
        and run.run_id = verdict.run_id
where run.dag_id = %(dag_id)s and run.dag_run_id = %(dag_run_id)s and run.company_id = %(company_id)s
group by run.run_id
order by run.run_id desc
limit 1;
