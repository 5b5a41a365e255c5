-- Recognise staged payments that Peakflo sent, also before the answer to the sender has been recorded: by the reference
-- that only they carry, one for each.
insert into mapping.record (realm_id, entity, qbo_id, peakflo_id, origin)
select
    staged.realm_id,
    'payment' as entity,
    min(staged.qbo_id) as qbo_id,
    delivery.payment_id,
    'peakflo' as origin
from staging.payment as staged
inner join outbox.delivery as delivery
    on
        staged.realm_id = delivery.realm_id
        and staged.payload ->> 'PaymentRefNum' = delivery.payload ->> 'PaymentRefNum'
        and delivery.leg = 'payment'
        and delivery.operation = 'create'
        and delivery.first_sent_at is not null
where
    staged.realm_id = %(realm_id)s
    and staged.qbo_id = any(%(qbo_ids)b::text[])
    and not exists (
        select 1
        from mapping.payment as mapped
        where
            mapped.realm_id = %(realm_id)s
            and (mapped.qbo_id = staged.qbo_id or mapped.peakflo_id = delivery.payment_id)
    )
group by staged.realm_id, delivery.payment_id
on conflict do nothing;
