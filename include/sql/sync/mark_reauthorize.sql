-- Stop a company whose tokens QuickBooks no longer accepts, until it is connected again. A run that began before a
-- person connected it again says nothing of the new tokens.
update sync.connection
set
    status = 'reauthorize',
    last_error = %(error)s,
    last_error_at = now()
where
    company_id = %(company_id)s
    and realm_id = %(realm_id)s
    and status in ('connected', 'paused')
    and not exists (
        select 1
        from sync.run as run
        where run.run_id = %(run_id)s and run.started_at < connection.connected_at
    )
returning company_id;
