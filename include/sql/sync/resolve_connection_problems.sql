-- Close the problems of a company's connection that was made anew: what is still wrong is met again by the next sync.
-- Whether deletions are to be believed is no matter of the connection.
update sync.problem
set
    state = 'resolved',
    resolved_at = now()
where
    company_id = %(company_id)s
    and direction = 'connection'
    and code <> 'deletion_brake'
    and state = 'open';
