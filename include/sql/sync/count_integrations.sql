-- Count the companies that a search finds, by the status of their connection.
select
    connection.status,
    count(*) as companies
from sync.connection as connection
inner join peakflo.company as company on connection.company_id = company.company_id
where
    %(pattern)s::text is null
    or company.company_id ilike %(pattern)s
    or company.name ilike %(pattern)s
    or company.source_name ilike %(pattern)s
    or connection.realm_id ilike %(pattern)s
group by connection.status;
