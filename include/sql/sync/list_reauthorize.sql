-- List the companies whose tokens QuickBooks no longer accepts, with what it said.
select
    company.company_id,
    company.name,
    connection.realm_id,
    connection.status,
    coalesce(connection.last_error, 'QuickBooks no longer accepts the company''s tokens.') as last_error
from sync.connection as connection
inner join peakflo.company as company on connection.company_id = company.company_id
where connection.status = 'reauthorize'
order by company.company_id;
