-- Give the company back, and wake whoever reads early if events of it have come meanwhile.
select
    pg_advisory_unlock(hashtextextended('company/' || %(company_id)s, 0)) as is_unlocked,
    (
        select count(pg_notify('webhook_event', connection.company_id))
        from sync.connection as connection
        where
            connection.company_id = %(company_id)s
            and connection.status = 'connected'
            and exists (
                select 1
                from sync.webhook_event as event
                where event.realm_id = connection.realm_id and event.read_at is null
            )
    ) as woken;
