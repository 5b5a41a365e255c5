-- List what was tried for a delivery, and in which run.
select
    attempt.attempt_id,
    attempt.action,
    attempt.outcome,
    attempt.request_id,
    attempt.started_at,
    attempt.ended_at,
    attempt.intuit_tid,
    attempt.error,
    run.dag_id,
    run.dag_run_id,
    run.try_number
from outbox.attempt as attempt
left join sync.run as run on attempt.run_id = run.run_id
where attempt.delivery_id = %(delivery_id)s
order by attempt.attempt_id;
