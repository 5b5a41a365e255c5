-- Close the problems of records that could not be read, now that they were read or are gone.
update sync.problem
set
    state = 'resolved',
    resolved_at = now()
where
    company_id = %(company_id)s
    and realm_id = %(realm_id)s
    and direction = 'inbound'
    and entity = %(entity)s
    and qbo_id = any(%(qbo_ids)b::text[])
    and code = 'unreadable'
    and state <> 'resolved';
