-- Bring what staged payments settle into peakflo.payment_allocation; only an active payment settles anything.
with staged as materialized (
    select
        qbo_id,
        payload
    from staging.payment
    where realm_id = %(realm_id)s and qbo_id = any(%(resolved)b::text[])
),

active as materialized (
    select
        (
            select mapped.peakflo_id
            from mapping.payment as mapped
            where mapped.realm_id = %(realm_id)s and mapped.qbo_id = staged.qbo_id
        ) as payment_id,
        staged.payload
    from staged
    where (
        select payment.status = 'active' and payment.origin = 'quickbooks'
        from peakflo.payment as payment
        where
            payment.company_id = %(company_id)s
            and payment.realm_id = %(realm_id)s
            and payment.source_id = staged.qbo_id
    )
),

link as (
    select
        active.payment_id,
        row_number() over (
            partition by active.payment_id
            order by line.ordinal, linked.ordinal
        ) as position,
        staging.text(linked.item -> 'TxnType') as txn_type,
        linked.item ->> 'TxnId' as txn_id,
        staging.needed_amount(line.item ->> 'Amount', 'Amount in a line') as amount
    from active
    cross join lateral jsonb_array_elements(active.payload -> 'Line') with ordinality as line (item, ordinal)
    cross join lateral jsonb_array_elements(line.item -> 'LinkedTxn') with ordinality as linked (item, ordinal)
)

insert into peakflo.payment_allocation as kept (
    company_id, payment_id, position, target_type, target_id, target_source_id, amount
)
select
    %(company_id)s as company_id,
    payment_id,
    position,
    case txn_type
        when 'CreditMemo' then 'credit_note'
        else lower(regexp_replace(txn_type, '([a-z])([A-Z])', '\1_\2', 'g'))
    end as target_type,
    case txn_type
        when 'Invoice'
            then (
                select invoice.peakflo_id
                from mapping.invoice as invoice
                where invoice.realm_id = %(realm_id)s and invoice.qbo_id = link.txn_id
            )
        when 'CreditMemo'
            then (
                select credit_note.peakflo_id
                from mapping.credit_note as credit_note
                where credit_note.realm_id = %(realm_id)s and credit_note.qbo_id = link.txn_id
            )
    end as target_id,
    txn_id as target_source_id,
    amount
from link
on conflict (company_id, payment_id, position) do update
    set
        target_type = excluded.target_type,
        target_id = excluded.target_id,
        target_source_id = excluded.target_source_id,
        amount = excluded.amount
    where kept.* is distinct from excluded.*;
