-- Record a delivery with what QuickBooks made of it, and who the payment is there, at once: from here on its echo is
-- recognised.
with delivered as (
    update outbox.delivery
    set
        state = 'delivered',
        code = null,
        reason = null,
        delivered_at = clock_timestamp(),
        qbo_id = %(qbo_id)s,
        sync_token = %(sync_token)s,
        response = %(response)s::jsonb
    where delivery_id = %(delivery_id)s
    returning company_id, realm_id, payment_id, leg, operation
),

mapped as (
    insert into mapping.record (realm_id, entity, qbo_id, peakflo_id, origin)
    select
        realm_id,
        'payment' as entity,
        %(qbo_id)s as qbo_id,
        payment_id,
        'peakflo' as origin
    from delivered
    where leg = 'payment' and operation = 'create'
    on conflict (realm_id, qbo_id, entity) do update
        set peakflo_id = excluded.peakflo_id, origin = excluded.origin
)

update peakflo.payment as payment
set source_id = %(qbo_id)s
from delivered
where
    payment.company_id = delivered.company_id
    and payment.id = delivered.payment_id
    and delivered.leg = 'payment'
    and delivered.operation = 'create';
