-- List the connected companies that have payments to look at, and that nobody is delivering for.
with held as (
    -- An advisory lock shows its 64-bit key in two halves.
    select (locks.classid::bigint << 32) | locks.objid::bigint as company_key
    from pg_locks as locks
    inner join pg_database as databases on locks.database = databases.oid
    where
        locks.locktype = 'advisory'
        and locks.granted
        and locks.objsubid = 1
        and databases.datname = current_database()
)

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
    and hashtextextended('delivery/' || connection.company_id, 0) not in (select held.company_key from held)
order by connection.company_id;
