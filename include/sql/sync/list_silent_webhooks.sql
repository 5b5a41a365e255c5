-- List the companies whose webhook has gone silent: nothing came for long, though before it did, while somebody made
-- records in QuickBooks of a kind that it used to tell of. What Peakflo made there, and what its payments changed, says
-- nothing, nor do books in which nothing happens.
with silent as materialized (
    select
        connection.company_id,
        connection.realm_id,
        latest.received_at,
        greatest(latest.received_at, connection.connected_at) + %(margin)s as since
    from sync.connection as connection
    cross join lateral (
        select event.received_at
        from sync.webhook_event as event
        where event.realm_id = connection.realm_id
        order by event.received_at desc
        limit 1
    ) as latest
    where
        connection.status = 'connected'
        and (%(company_ids)s::text[] is null or connection.company_id = any(%(company_ids)s::text[]))
        and latest.received_at < now() - %(silence)s
        -- There is no need to look through the records of books in which nothing changed.
        and exists (
            select
            from sync.run as run
            where
                run.company_id = connection.company_id
                and run.realm_id = connection.realm_id
                and run.started_at > latest.received_at
                and run.counts @? '$.*.changed ? (@ > 0)'
        )
)

select
    silent.company_id,
    silent.received_at
from silent
where exists (
    select
    from staging.seen_record as staged
    where
        staged.realm_id = silent.realm_id
        and staged.entity in ('invoice', 'payment', 'credit_memo')
        and staged.deleted_at is null
        and staged.qbo_updated_at > silent.since
        and pg_input_is_valid(staged.payload #>> '{MetaData,CreateTime}', 'timestamptz')
        and (staged.payload #>> '{MetaData,CreateTime}')::timestamptz > silent.since
        -- A webhook takes a while.
        and (staged.payload #>> '{MetaData,CreateTime}')::timestamptz < now() - %(margin)s
        and exists (
            select
            from sync.webhook_event as event
            where event.realm_id = staged.realm_id and event.entity = staged.entity
        )
        and not exists (
            select
            from mapping.payment as own
            where
                staged.entity = 'payment'
                and own.realm_id = staged.realm_id
                and own.qbo_id = staged.qbo_id
                and own.origin = 'peakflo'
        )
)
order by silent.company_id;
