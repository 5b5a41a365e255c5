-- List some old runs of the sync log that nothing names: no record, no version of one, no verdict and no move of a
-- payment. The last run of its kind and outcome stays for each company, as does what has not been told.
select run.run_id
from sync.run as run
where
    run.started_at < now() - %(kept_for)s::interval
    and run.state <> 'running'
    and not run.has_news
    and exists (
        select
        from sync.run as later
        where
            later.company_id = run.company_id
            and later.realm_id = run.realm_id
            and later.dag_id = run.dag_id
            and later.state = run.state
            and (later.started_at, later.run_id) > (run.started_at, run.run_id)
    )
    and not exists (
        select
        from staging.record as staged
        where staged.run_id = run.run_id
    )
    and not exists (
        select
        from staging.history as history
        where history.run_id = run.run_id
    )
    and not exists (
        select
        from peakflo.reminder_verdict as verdict
        where verdict.run_id = run.run_id
    )
    and not exists (
        select
        from proof.proof as proof
        where proof.run_id = run.run_id
    )
    and not exists (
        select
        from outbox.move as move
        where move.run_id = run.run_id
    )
order by run.run_id
limit %(most)s;
