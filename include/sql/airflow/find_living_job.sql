-- Find a job of Airflow's on a host that has lately written down that it is alive.
select id
from job
where
    job_type = %(job_type)s
    and hostname = %(hostname)s
    and state = 'running'
    and latest_heartbeat > now() - interval '30 seconds'
limit 1;
