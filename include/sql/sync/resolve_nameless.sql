-- Close the problems of records without an Id that were not met where all of the entity's were read.
update sync.problem
set
    state = 'resolved',
    resolved_at = now()
where
    company_id = %(company_id)s
    and realm_id = %(realm_id)s
    and direction = 'inbound'
    and entity = %(entity)s
    and qbo_id like 'no Id, %%'
    and qbo_id <> all(%(met)b::text[])
    and code = 'unreadable'
    and state <> 'resolved';
