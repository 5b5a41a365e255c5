-- Recognise staged payments that Peakflo sent, also before the answer to the sender has been recorded: by the payment
-- that their notes name, one for each; a reference may have been copied by hand. What was sent before and undone since
-- stays Peakflo's, and is no payment any more. A payment that was given up and is met after all is looked into again.
with former as (
    insert into mapping.record (realm_id, entity, qbo_id, peakflo_id, origin)
    select
        former.realm_id,
        'payment' as entity,
        former.qbo_id,
        mapping.peakflo_id(former.realm_id, 'payment', former.qbo_id) as peakflo_id,
        'peakflo' as origin
    from outbox.former_record as former
    where former.realm_id = %(realm_id)s and former.leg = 'payment' and former.qbo_id = any(%(qbo_ids)b::text[])
    on conflict do nothing
),

recognised as (
    insert into mapping.record (realm_id, entity, qbo_id, peakflo_id, origin)
    select
        staged.realm_id,
        'payment' as entity,
        (
            array_agg(
                staged.qbo_id
                order by staged.qbo_id is distinct from delivery.qbo_id, length(staged.qbo_id), staged.qbo_id
            )
        )[1] as qbo_id,
        delivery.payment_id,
        'peakflo' as origin
    from staging.payment as staged
    inner join outbox.delivery as delivery
        on
            staged.realm_id = delivery.realm_id
            and outbox.marked(staged.payload) = delivery.payment_id
            and delivery.leg = 'payment'
            and delivery.operation = 'create'
            and delivery.first_sent_at is not null
    where
        staged.realm_id = %(realm_id)s
        and staged.qbo_id = any(%(qbo_ids)b::text[])
        and not exists (
            select 1
            from outbox.former_record as former
            where former.realm_id = %(realm_id)s and former.leg = 'payment' and former.qbo_id = staged.qbo_id
        )
        and not exists (
            select 1
            from mapping.payment as mapped
            where
                mapped.realm_id = %(realm_id)s
                and (mapped.qbo_id = staged.qbo_id or mapped.peakflo_id = delivery.payment_id)
        )
    group by staged.realm_id, delivery.payment_id
    on conflict do nothing
    returning peakflo_id
)

update outbox.delivery as delivery
set
    state = 'unknown',
    code = 'recognised',
    reason = 'The sync met it in QuickBooks.'
from recognised
where
    delivery.realm_id = %(realm_id)s
    and delivery.payment_id = recognised.peakflo_id
    and delivery.leg = 'payment'
    and delivery.operation = 'create'
    -- Which of several it is, a person said or has to say.
    and delivery.state in ('rejected', 'possible_orphan', 'ignored')
    and delivery.qbo_id is null
    and delivery.code is distinct from 'several_found';
