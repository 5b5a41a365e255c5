-- Pause a company or let it go on.
update sync.connection
set status = %(status)s
where company_id = %(company_id)s and status = %(expected)s
returning status;
