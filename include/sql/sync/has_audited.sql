-- Tell whether a chain has had this end.
select count(*) > 0 as has_had
from sync.audit
where company_id = %(company_id)s and number = %(number)s and hash = decode(%(hash)s, 'hex');
