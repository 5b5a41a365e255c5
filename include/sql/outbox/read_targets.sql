-- Read what a payment of Peakflo's is applied to, as QuickBooks was last seen to hold it. What payments of ours took
-- that QuickBooks has, but that have not been read back, is open no more; what those took that were undone there, which
-- has not been read back, is open again.
with allocation as materialized (
    select
        allocated.position,
        allocated.target_type,
        allocated.target_id,
        allocated.amount,
        allocated.withholding_tax_amount,
        coalesce(allocated.withholding_tax_type, '') as withholding_tax_type,
        allocated.rounding_amount,
        payment.realm_id,
        outbox.payer(payment.company_id, payment.id) as payer_id
    from peakflo.payment_allocation as allocated
    inner join peakflo.payment as payment
        on allocated.company_id = payment.company_id and allocated.payment_id = payment.id
    where allocated.company_id = %(company_id)s and allocated.payment_id = %(payment_id)s
),

target as (
    select
        allocation.*,
        invoice.source_id as qbo_id,
        invoice.customer_id as owner_id,
        invoice.invoice_number as number,
        invoice.currency,
        invoice.status,
        invoice.deleted_at,
        invoice.amount_due as open_amount,
        (
            select staged.payload #>> '{ARAccountRef,value}'
            from staging.invoice as staged
            where staged.realm_id = invoice.realm_id and staged.qbo_id = invoice.source_id
        ) as receivable_qbo_id
    from allocation
    left join peakflo.invoice as invoice
        on
            invoice.company_id = %(company_id)s
            and allocation.target_id = invoice.id
            and allocation.realm_id = invoice.realm_id
    where allocation.target_type = 'invoice'
    union all
    select
        allocation.*,
        credit_note.source_id as qbo_id,
        credit_note.customer_id as owner_id,
        credit_note.credit_note_number as number,
        credit_note.currency,
        credit_note.status,
        credit_note.deleted_at,
        credit_note.remaining_credit as open_amount,
        null as receivable_qbo_id
    from allocation
    left join peakflo.credit_note as credit_note
        on
            credit_note.company_id = %(company_id)s
            and allocation.target_id = credit_note.id
            and allocation.realm_id = credit_note.realm_id
    where allocation.target_type = 'credit_note'
)

select
    target.target_type,
    target.target_id,
    target.amount,
    target.withholding_tax_amount,
    target.withholding_tax_type,
    target.rounding_amount,
    target.qbo_id,
    target.number,
    target.currency,
    target.receivable_qbo_id,
    target.open_amount - coalesce(
        (
            select sum(taken.amount + taken.withholding_tax_amount + taken.rounding_amount)
            from peakflo.payment_allocation as taken
            inner join peakflo.payment as sent
                on taken.company_id = sent.company_id and taken.payment_id = sent.id
            where
                taken.company_id = %(company_id)s
                and taken.target_id = target.target_id
                and taken.payment_id <> %(payment_id)s
                and sent.origin = 'peakflo'
                and sent.status = 'active'
                and sent.source_id is not null
                and not exists (
                    select
                    from staging.payment as staged
                    where staged.realm_id = sent.realm_id and staged.qbo_id = sent.source_id
                )
        ),
        0
    ) + coalesce(
        (
            select sum(staging.amount(line.item ->> 'Amount'))
            from outbox.delivery as created
            cross join lateral (
                select created.qbo_id
                from outbox.delivery as undoing
                where
                    undoing.company_id = created.company_id
                    and undoing.payment_id = created.payment_id
                    and undoing.leg = 'payment'
                    and undoing.operation = 'void'
                    and undoing.state = 'delivered'
                union all
                select former.qbo_id
                from outbox.former_record as former
                where former.delivery_id = created.delivery_id
            ) as undone
            inner join staging.payment as staged
                on created.realm_id = staged.realm_id and undone.qbo_id = staged.qbo_id
            cross join lateral staging.items(staged.payload -> 'Line') as line (item)
            cross join lateral staging.items(line.item -> 'LinkedTxn') as linked (item)
            where
                created.company_id = %(company_id)s
                and created.payment_id in (
                    select taken.payment_id
                    from peakflo.payment_allocation as taken
                    where taken.company_id = %(company_id)s and taken.target_id = target.target_id
                )
                and created.leg = 'payment'
                and created.operation = 'create'
                and staged.deleted_at is null
                and linked.item ->> 'TxnId' = target.qbo_id
                and linked.item ->> 'TxnType'
                = case target.target_type when 'invoice' then 'Invoice' else 'CreditMemo' end
        ),
        0
    ) as open_amount,
    coalesce(target.deleted_at is not null or target.status in ('draft', 'cancelled', 'voided', 'deleted'), false)
    as is_gone,
    (
        select customer.company_name
        from peakflo.customer as customer
        where customer.company_id = %(company_id)s and customer.id = target.owner_id
    ) as owner_name,
    outbox.pays_for(%(company_id)s, target.payer_id, target.owner_id) as is_of_payer
from target
order by target.target_type = 'credit_note', target.position;
