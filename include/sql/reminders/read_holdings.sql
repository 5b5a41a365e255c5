-- Read, per customer and currency, what is open: invoices, and the money that QuickBooks has and that is applied to
-- nothing, or that Peakflo has and that is meant for nothing that is still open.
with company as (
    select
        home_currency,
        (%(read_at)s::timestamptz at time zone time_zone)::date as today
    from peakflo.company
    where company_id = %(company_id)s
),

open_item as (
    select
        invoice.customer_id,
        'invoice' as kind,
        invoice.currency,
        invoice.id,
        invoice.source_id,
        invoice.due_date as date,
        invoice.amount_due as amount
    from peakflo.invoice as invoice
    where
        invoice.company_id = %(company_id)s
        and invoice.customer_id = any(%(customer_ids)b::uuid[])
        and invoice.status = 'sent'
        and invoice.deleted_at is null
    union all
    select
        payment.customer_id,
        'payment' as kind,
        payment.currency,
        payment.id,
        payment.source_id,
        payment.payment_date as date,
        spare.amount
    from peakflo.payment as payment
    left join staging.payment as staged
        on staged.realm_id = %(realm_id)s and payment.source_id = staged.qbo_id and payment.origin = 'peakflo'
    cross join lateral (
        -- Of a payment of Peakflo's, what QuickBooks has not applied: peakflo.payment says what Peakflo took.
        values (
            case payment.origin
                when 'quickbooks' then payment.unapplied_amount
                else staging.amount(staged.payload ->> 'UnappliedAmt')
            end
        )
    ) as spare (amount)
    where
        payment.company_id = %(company_id)s
        and payment.customer_id = any(%(customer_ids)b::uuid[])
        and spare.amount > 0
        and case payment.origin
            when 'quickbooks' then payment.status = 'active' and payment.deleted_at is null
            else staged.deleted_at is null
        end
    union all
    select
        credit_note.customer_id,
        'credit' as kind,
        credit_note.currency,
        credit_note.id,
        credit_note.source_id,
        credit_note.issue_date as date,
        credit_note.remaining_credit as amount
    from peakflo.credit_note as credit_note
    where
        credit_note.company_id = %(company_id)s
        and credit_note.customer_id = any(%(customer_ids)b::uuid[])
        and credit_note.status = 'open'
        and credit_note.deleted_at is null
        and credit_note.remaining_credit > 0
    union all
    select
        unbooked.customer_id,
        'unbooked' as kind,
        unbooked.currency,
        unbooked.payment_id as id,
        null as source_id,
        unbooked.payment_date as date,
        unbooked.spare_amount as amount
    from outbox.unbooked_payment as unbooked
    where
        unbooked.company_id = %(company_id)s
        and unbooked.customer_id = any(%(customer_ids)b::uuid[])
        and unbooked.spare_amount > 0
),

described as (
    select
        open_item.customer_id,
        coalesce(open_item.currency, company.home_currency) as currency,
        open_item.kind,
        open_item.id,
        open_item.date,
        open_item.amount,
        open_item.date < company.today as is_past,
        case
            when open_item.kind <> 'invoice'
                then
                    jsonb_build_object(
                        'id', open_item.id,
                        'source_id', open_item.source_id,
                        'amount', open_item.amount::text,
                        'date', open_item.date,
                        'is_future', open_item.date > company.today
                    )
        end as money
    from open_item
    cross join company
)

select
    customer_id,
    currency,
    coalesce(sum(amount) filter (where kind = 'invoice'), 0) as due,
    coalesce(sum(amount) filter (where kind = 'invoice' and is_past), 0) as overdue,
    coalesce(jsonb_agg(money order by date, id) filter (where kind = 'payment'), '[]') as payments,
    coalesce(jsonb_agg(money order by date, id) filter (where kind = 'credit'), '[]') as credits,
    coalesce(jsonb_agg(money order by date, id) filter (where kind = 'unbooked'), '[]') as unbooked
from described
group by customer_id, currency;
