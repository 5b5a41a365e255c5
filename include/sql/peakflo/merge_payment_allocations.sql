-- Bring what staged payments settle into peakflo.payment_allocation; only an active payment settles anything.
with source as (
    select
        payment.id as payment_id,
        row_number() over (
            partition by payment.id
            order by line.ordinal, linked.ordinal
        ) as position,
        case linked.item ->> 'TxnType'
            when 'CreditMemo' then 'credit_note'
            else lower(regexp_replace(linked.item ->> 'TxnType', '([a-z])([A-Z])', '\1_\2', 'g'))
        end as target_type,
        coalesce(invoice.peakflo_id, credit_note.peakflo_id) as target_id,
        linked.item ->> 'TxnId' as target_source_id,
        (line.item ->> 'Amount')::numeric as amount
    from staging.payment as staged
    inner join mapping.payment as mapped on staged.realm_id = mapped.realm_id and staged.qbo_id = mapped.qbo_id
    inner join peakflo.payment as payment on payment.company_id = %(company_id)s and mapped.peakflo_id = payment.id
    cross join lateral jsonb_array_elements(staged.payload -> 'Line') with ordinality as line (item, ordinal)
    cross join lateral jsonb_array_elements(line.item -> 'LinkedTxn') with ordinality as linked (item, ordinal)
    left join mapping.invoice as invoice
        on
            linked.item ->> 'TxnType' = 'Invoice'
            and staged.realm_id = invoice.realm_id
            and invoice.qbo_id = linked.item ->> 'TxnId'
    left join mapping.credit_note as credit_note
        on
            linked.item ->> 'TxnType' = 'CreditMemo'
            and staged.realm_id = credit_note.realm_id
            and credit_note.qbo_id = linked.item ->> 'TxnId'
    where
        staged.realm_id = %(realm_id)s
        and staged.qbo_id = any(%(resolved)b::text[])
        and payment.status = 'active'
        and payment.origin = 'quickbooks'
),

vanished as (
    delete from peakflo.payment_allocation as kept
    using mapping.payment as mapped
    where
        kept.company_id = %(company_id)s
        and kept.payment_id = mapped.peakflo_id
        and mapped.realm_id = %(realm_id)s
        and mapped.qbo_id = any(%(resolved)b::text[])
        and mapped.origin = 'quickbooks'
        and not exists (
            select 1
            from source
            where source.payment_id = kept.payment_id and source.position = kept.position
        )
)

insert into peakflo.payment_allocation as kept (
    company_id, payment_id, position, target_type, target_id, target_source_id, amount
)
select
    %(company_id)s as company_id,
    payment_id,
    position,
    target_type,
    target_id,
    target_source_id,
    amount
from source
on conflict (company_id, payment_id, position) do update
    set
        target_type = excluded.target_type,
        target_id = excluded.target_id,
        target_source_id = excluded.target_source_id,
        amount = excluded.amount
    where kept.* is distinct from excluded.*;
