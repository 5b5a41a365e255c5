-- Forget some events that no delivery repeats any more and that change data capture does not reach back to.
with old as (
    select
        realm_id,
        event_id,
        entity,
        qbo_id
    from sync.webhook_event
    where received_at < now() - %(kept_for)s::interval
    order by received_at
    limit %(most)s
)

delete from sync.webhook_event as event
using old
where
    event.realm_id = old.realm_id
    and event.event_id = old.event_id
    and event.entity = old.entity
    and event.qbo_id = old.qbo_id;
