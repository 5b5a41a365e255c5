-- Count the connected companies whose webhook is proven and the others, and tell the time.
select
    now() as now,
    count(*) filter (where read_interval.has_webhook) as proven,
    count(*) filter (where not read_interval.has_webhook) as unproven
from sync.connection as connection
inner join sync.read_interval as read_interval on connection.company_id = read_interval.company_id
where connection.status = 'connected';
