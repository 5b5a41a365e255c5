-- List a company's runs, the newest first, from the one after a given run on.
select
    run_id,
    dag_id,
    dag_run_id,
    try_number,
    state,
    started_at,
    ended_at,
    counts,
    calls,
    error_code,
    error
from sync.run
where
    company_id = %(company_id)s
    and realm_id = %(realm_id)s
    and (%(dag_id)s::text is null or dag_id = %(dag_id)s)
    and (%(state)s::text is null or state = %(state)s)
    and (%(entity)s::text is null or counts ? %(entity)s)
    and (%(day)s::date is null or (started_at >= %(day)s::date and started_at < %(day)s::date + 1))
    and (
        %(before)s::bigint is null
        or (started_at, run_id) < (
            select
                earlier.started_at,
                earlier.run_id
            from sync.run as earlier
            where earlier.company_id = %(company_id)s and earlier.run_id = %(before)s
        )
    )
order by started_at desc, run_id desc
limit %(most)s;
