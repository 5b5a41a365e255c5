-- Find what QuickBooks has said that it has of a delivery, by the marker in its note; or, if it has nothing of it any
-- more, had since a moment.
with found as (
    select
        qbo_id,
        sync_token,
        payload::text as payload,
        is_alive,
        bool_or(is_alive) over () as any_is_alive
    from outbox.marked_record
    where
        realm_id = %(realm_id)s
        and payment_id = %(payment_id)s
        and leg = %(leg)s
        and (is_alive or qbo_updated_at >= %(since)s)
)

select
    qbo_id,
    sync_token,
    payload
from found
where is_alive or not any_is_alive
order by qbo_id;
