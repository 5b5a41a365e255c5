-- Forget imports that were given up so long ago that change data capture does not reach back to their beginning, of
-- books that are not connected: those of others begin anew by themselves, and may be read right now.
with unread as (
    select progress.realm_id
    from staging.import_progress as progress
    where
        progress.realm_id not in (
            select connection.realm_id
            from sync.connection as connection
            where connection.status <> 'disconnected'
        )
    group by progress.realm_id
    having max(progress.started_at) < now() - %(kept_for)s::interval
),

given_up as (
    delete from staging.import_progress
    where realm_id in (select unread.realm_id from unread)
)

delete from staging.import_seen
where realm_id in (select unread.realm_id from unread);
