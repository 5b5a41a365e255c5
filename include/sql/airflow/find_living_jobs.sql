-- Find the jobs of Airflow's on a host that have lately written down that they are alive.
select id
from job
where
    job_type = %(job_type)s
    and hostname = %(hostname)s
    and state = 'running'
    and latest_heartbeat > now() - interval '30 seconds';
