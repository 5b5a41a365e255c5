-- Recognise staged payments that Peakflo sent, also before the answer to the sender has been recorded: by the payment
-- that their notes name, one for each; a reference may have been copied by hand. What is there twice, and what was sent
-- before and undone since, stays Peakflo's, and is no payment, unless a person takes the mark away. A payment that was
-- given up and is met after all is looked into again.
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

unmarked as (
    update mapping.record as mapped
    set origin = 'quickbooks'
    from staging.payment as staged
    where
        mapped.realm_id = %(realm_id)s
        and mapped.entity = 'payment'
        and mapped.qbo_id = any(%(qbo_ids)b::text[])
        and mapped.origin = 'peakflo'
        and mapped.peakflo_id = mapping.peakflo_id(mapped.realm_id, mapped.entity, mapped.qbo_id)
        and staged.realm_id = mapped.realm_id
        and staged.qbo_id = mapped.qbo_id
        and outbox.marked(staged.payload) is null
        and mapped.qbo_id not in (
            select former_record.qbo_id
            from outbox.former_record
            where former_record.realm_id = %(realm_id)s and former_record.leg = 'payment'
        )
),

marked as (
    select
        marked.realm_id,
        marked.qbo_id,
        marked.payment_id,
        row_number() over (
            partition by marked.payment_id
            order by
                marked.qbo_id is distinct from delivery.qbo_id,
                not marked.is_alive,
                length(marked.qbo_id),
                marked.qbo_id
        ) = 1
        and not exists (
            select
            from mapping.payment as mapped
            where mapped.realm_id = %(realm_id)s and mapped.peakflo_id = marked.payment_id
        ) as is_payment
    from outbox.marked_record as marked
    inner join outbox.delivery as delivery
        on
            marked.realm_id = delivery.realm_id
            and marked.payment_id = delivery.payment_id
            and marked.leg = delivery.leg
            and delivery.operation = 'create'
            -- Also what was to be sent anew since.
            and delivery.attempts > 0
    where
        marked.realm_id = %(realm_id)s
        and marked.leg = 'payment'
        and marked.qbo_id = any(%(qbo_ids)b::text[])
        and not exists (
            select
            from mapping.payment as mapped
            where mapped.realm_id = %(realm_id)s and mapped.qbo_id = marked.qbo_id
        )
),

recognised as (
    insert into mapping.record (realm_id, entity, qbo_id, peakflo_id, origin)
    select
        realm_id,
        'payment' as entity,
        qbo_id,
        case when is_payment then payment_id else mapping.peakflo_id(realm_id, 'payment', qbo_id) end as peakflo_id,
        'peakflo' as origin
    from marked
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
    and delivery.state in ('rejected', 'possible_orphan', 'ignored', 'withdrawn')
    and delivery.qbo_id is null
    and delivery.code is distinct from 'several_found';
