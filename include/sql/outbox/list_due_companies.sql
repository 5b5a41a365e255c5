-- List the connected companies that have payments to look at, and that nobody is delivering for.
select connection.company_id
from sync.connection as connection
left join sync.company_setting as setting on connection.company_id = setting.company_id
where
    connection.status = 'connected'
    and (
        exists (
            select
            from outbox.queue as queue
            where queue.company_id = connection.company_id
        )
        or exists (
            select
            from outbox.delivery as delivery
            where
                delivery.company_id = connection.company_id
                and delivery.kind <> 'agrees'
                and (delivery.code <> 'auto_sync_off' or coalesce(setting.auto_sync, true))
                and (delivery.code <> 'other_books' or delivery.realm_id = connection.realm_id)
        )
    )
    and hashtextextended('delivery/' || connection.company_id, 0) not in (
        select held.lock_key from sync.held_lock as held
    )
order by connection.company_id;
