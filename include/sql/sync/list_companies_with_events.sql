-- List the connected companies with unread events, unless the last early read began after them and failed: that is
-- left to its retry and to the next sync, whoever else is woken meanwhile.
select connection.company_id
from sync.connection as connection
where
    connection.status = 'connected'
    and exists (
        select 1
        from sync.webhook_event as event
        where
            event.realm_id = connection.realm_id
            and event.read_at is null
            -- An event becomes visible a moment after the time that it bears.
            and event.received_at > coalesce((
                select max(run.started_at) - interval '1 second'
                from sync.run as run
                where run.company_id = connection.company_id and run.dag_id = %(dag_id)s
            ), '-infinity')
    )
order by connection.company_id;
