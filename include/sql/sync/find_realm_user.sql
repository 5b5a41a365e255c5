-- Find the other company that is connected to a realm.
select company_id
from sync.connection
where realm_id = %(realm_id)s and company_id <> %(company_id)s and status <> 'disconnected';
