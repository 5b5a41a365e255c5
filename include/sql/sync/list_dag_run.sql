-- List what a DAG run did for each company, with its last try.
select distinct on (company.name, run.company_id)
    run.company_id,
    company.name,
    run.try_number,
    run.state,
    run.started_at,
    run.ended_at,
    run.counts,
    run.calls,
    run.error
from sync.run as run
inner join peakflo.company as company on run.company_id = company.company_id
where run.dag_id = %(dag_id)s and run.dag_run_id = %(dag_run_id)s
order by company.name asc, run.company_id asc, run.run_id desc
limit %(most)s;
