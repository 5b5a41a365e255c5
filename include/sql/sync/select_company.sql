-- Read one company and its connection.
select
    company.company_id,
    company.name,
    connection.realm_id,
    connection.status
from sync.connection as connection
inner join peakflo.company as company on connection.company_id = company.company_id
where connection.company_id = %(company_id)s;
