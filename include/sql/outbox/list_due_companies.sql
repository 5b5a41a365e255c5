-- List the connected companies that have something to deliver, and that nobody is delivering for.
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
where
    connection.status = 'connected'
    and exists (
        select 1
        from outbox.delivery as delivery
        where
            delivery.company_id = connection.company_id
            and (
                (
                    delivery.state in ('queued', 'held')
                    -- Those wait until their books are connected again.
                    and (delivery.realm_id = connection.realm_id or delivery.code is distinct from 'other_books')
                )
                or (delivery.state in ('sending', 'unknown') and delivery.realm_id = connection.realm_id)
            )
    )
    and hashtextextended('delivery/' || connection.company_id, 0) not in (select held.company_key from held)
order by connection.company_id;
