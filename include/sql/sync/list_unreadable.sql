-- List the records that could not be read when they came last.
select qbo_id
from sync.problem
where
    company_id = %(company_id)s
    and realm_id = %(realm_id)s
    and direction = 'inbound'
    and entity = %(entity)s
    and code = 'unreadable'
    and state <> 'resolved';
