-- Stop a company whose tokens QuickBooks no longer accepts, until it is connected again.
update sync.connection
set
    status = 'reauthorize',
    last_error = %(error)s,
    last_error_at = now()
where company_id = %(company_id)s and status in ('connected', 'paused');
