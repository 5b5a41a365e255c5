-- Find the company that has, or last had, a QuickBooks company's books.
select connection.company_id
from sync.connection as connection
where connection.realm_id = %(realm_id)s
order by connection.status = 'disconnected', connection.connected_at desc
limit 1;
