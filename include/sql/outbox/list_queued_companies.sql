-- List the connected companies with payments on which something changed that nobody has looked at since.
select connection.company_id
from sync.connection as connection
where
    connection.status = 'connected'
    and exists (
        select
        from outbox.queue as queue
        where queue.company_id = connection.company_id
    )
order by connection.company_id;
