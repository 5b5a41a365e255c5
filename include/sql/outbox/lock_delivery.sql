-- Read a delivery and keep others from changing it, its payment's other deliveries, and the payment itself, until the
-- transaction ends; always in the same order, so that nobody waits for somebody who waits.
with locked as materialized (
    select sibling.*
    from outbox.delivery as sibling
    where
        (sibling.company_id, sibling.payment_id) = (
            select
                named.company_id,
                named.payment_id
            from outbox.delivery as named
            where named.delivery_id = %(delivery_id)s
        )
    order by sibling.delivery_id
    for update
)

select
    delivery_id,
    company_id,
    realm_id,
    payment_id,
    leg,
    operation,
    generation,
    request_id,
    payload::text as payload,
    state,
    code,
    reason,
    attempts,
    queued_at,
    first_sent_at,
    sent_at,
    delivered_at,
    qbo_id,
    sync_token,
    response::text as response,
    mapping.survivor(realm_id, payload #>> '{CustomerRef,value}') as survivor_qbo_id,
    clock_timestamp() as read_at
from locked
where delivery_id = %(delivery_id)s;
