-- List the records that Peakflo has under customers that have gone since a moment, and that QuickBooks did not send
-- along: merging a customer into another one gives them to that one.
with gone as (
    select
        staged.qbo_id,
        staged.read_at,
        mapped.peakflo_id
    from staging.customer as staged
    inner join mapping.customer as mapped on staged.realm_id = mapped.realm_id and staged.qbo_id = mapped.qbo_id
    where
        staged.realm_id = %(realm_id)s
        and staged.read_at >= %(since)s
        and staging.is_gone(staged.deleted_at, staged.payload)
),

had as (
    select
        gone.qbo_id as customer_qbo_id,
        gone.read_at,
        'invoice' as entity,
        invoice.source_id as qbo_id
    from gone
    inner join peakflo.invoice as invoice
        on invoice.company_id = %(company_id)s and gone.peakflo_id = invoice.customer_id
    union all
    select
        gone.qbo_id as customer_qbo_id,
        gone.read_at,
        'credit_memo' as entity,
        credit_note.source_id as qbo_id
    from gone
    inner join peakflo.credit_note as credit_note
        on credit_note.company_id = %(company_id)s and gone.peakflo_id = credit_note.customer_id
    union all
    select
        gone.qbo_id as customer_qbo_id,
        gone.read_at,
        'payment' as entity,
        payment.source_id as qbo_id
    from gone
    inner join peakflo.payment as payment
        on payment.company_id = %(company_id)s and gone.peakflo_id = payment.customer_id
)

select
    had.entity,
    array_agg(had.qbo_id order by had.qbo_id) as qbo_ids
from had
inner join staging.record as staged
    on
        staged.realm_id = %(realm_id)s
        and had.entity = staged.entity
        and had.qbo_id = staged.qbo_id
where
    staged.deleted_at is null
    and staged.read_at < had.read_at
    and staging.owner_of(staged.payload) = had.customer_qbo_id
group by had.entity
order by had.entity;
