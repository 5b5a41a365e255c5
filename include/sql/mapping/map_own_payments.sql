-- Recognise staged payments that are Peakflo's, also before the answer to the sender has been recorded: those that we
-- made, and those of which the notes name a payment of Peakflo's. What is there twice, and what was undone since, stays
-- Peakflo's and is no payment, unless a person takes the mark away.
with own as (
    select
        staged.qbo_id,
        (
            select record.payment_id
            from outbox.record as record
            where
                record.realm_id = staged.realm_id
                and record.document = 'payment'
                and record.qbo_id = staged.qbo_id
                and record.state = 'made'
        ) as made_of,
        exists (
            select
            from outbox.record as record
            where
                record.realm_id = staged.realm_id
                and record.document = 'payment'
                and record.qbo_id = staged.qbo_id
        )
        or exists (
            select
            from peakflo.payment as payment
            where
                payment.company_id = %(company_id)s
                and payment.id = outbox.payment_id_in_note(staged.payload)
                and payment.realm_id = staged.realm_id
                and payment.origin = 'peakflo'
        ) as is_own
    from staging.payment as staged
    where staged.realm_id = %(realm_id)s and staged.qbo_id = any(%(qbo_ids)b::text[])
),

unmarked as (
    update mapping.record as mapped
    set origin = 'quickbooks'
    from own
    where
        mapped.realm_id = %(realm_id)s
        and mapped.entity = 'payment'
        and mapped.qbo_id = own.qbo_id
        and mapped.origin = 'peakflo'
        -- Never one that stands for a payment of Peakflo's.
        and mapped.peakflo_id = mapping.peakflo_id(mapped.realm_id, mapped.entity, mapped.qbo_id)
        and not own.is_own
)

insert into mapping.record (realm_id, entity, qbo_id, peakflo_id, origin)
select
    %(realm_id)s as realm_id,
    'payment' as entity,
    qbo_id,
    coalesce(made_of, mapping.peakflo_id(%(realm_id)s, 'payment', qbo_id)) as peakflo_id,
    'peakflo' as origin
from own
where is_own
on conflict do nothing;
