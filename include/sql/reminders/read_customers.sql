-- Read what customers owe in a currency, and the money that may cover it: theirs, and that of all whom they are
-- sub-customers of. A customer's records are of one realm, its own.
with recursive asked as (
    select
        given.customer_id,
        given.currency,
        company.home_currency,
        (%(read_at)s::timestamptz at time zone company.time_zone)::date as today
    from unnest(%(customer_ids)b::uuid[], %(currencies)b::text[]) as given (customer_id, currency)
    inner join peakflo.company as company on company.company_id = %(company_id)s
),

payer as (
    select
        customer_id,
        customer_id as id
    from unnest(%(customer_ids)b::uuid[]) as given (customer_id)
    union
    select
        payer.customer_id,
        customer.parent_id as id
    from payer
    inner join peakflo.customer as customer
        on customer.company_id = %(company_id)s and payer.id = customer.id
    where customer.parent_id is not null
),

payer_ids as (
    select
        customer_id,
        array_agg(id) as ids
    from payer
    group by customer_id
),

-- What is staged or even refused and not merged: what is merged of these is old.
waiting as (
    select
        unmerged.entity,
        unmerged.qbo_id,
        (
            select record.payload #>> '{CustomerRef,value}'
            from staging.record as record
            where
                record.realm_id = %(realm_id)s
                and record.entity = unmerged.entity
                and record.qbo_id = unmerged.qbo_id
        ) as customer_qbo_id
    from staging.unmerged as unmerged
    where unmerged.realm_id = %(realm_id)s
    union all
    select
        entity,
        qbo_id,
        null as customer_qbo_id
    from sync.problem
    where company_id = %(company_id)s and realm_id = %(realm_id)s and direction = 'inbound' and state <> 'resolved'
),

waiting_customer as (
    select mapped.peakflo_id as id
    from waiting
    inner join mapping.customer as mapped
        on
            mapped.realm_id = %(realm_id)s
            and mapped.qbo_id
            = case
                when waiting.entity = 'customer' then waiting.qbo_id
                when waiting.entity in ('payment', 'credit_memo') then waiting.customer_qbo_id
            end
)

select
    asked.customer_id,
    asked.currency,
    known.source_id as customer_qbo_id,
    known.status as customer_status,
    total.due as total_due,
    total.overdue as total_overdue,
    unapplied.payments,
    credit.credits,
    payer_ids.ids && array(select waiting_customer.id from waiting_customer) as is_customer_waiting
from asked
inner join payer_ids on asked.customer_id = payer_ids.customer_id
inner join peakflo.customer as known on known.company_id = %(company_id)s and asked.customer_id = known.id
cross join lateral (
    select
        coalesce(sum(invoice.amount_due), 0) as due,
        coalesce(sum(invoice.amount_due) filter (where invoice.due_date < asked.today), 0) as overdue
    from peakflo.invoice as invoice
    where
        invoice.company_id = %(company_id)s
        and invoice.customer_id = asked.customer_id
        and coalesce(invoice.currency, asked.home_currency) is not distinct from asked.currency
        and invoice.status = 'sent'
        and invoice.deleted_at is null
) as total
cross join lateral (
    select
        coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'id', payment.id,
                    'source_id', payment.source_id,
                    'amount', payment.amount::text,
                    'date', payment.payment_date,
                    'is_future', payment.payment_date > asked.today
                )
                order by payment.payment_date, payment.id
            ),
            '[]'
        ) as payments
    from (
        select
            kept.id,
            kept.source_id,
            kept.payment_date,
            case
                -- Taken by Peakflo and not in QuickBooks yet: QuickBooks' balance knows nothing of all that it settles.
                when kept.origin = 'peakflo' and kept.source_id is null
                    then (
                        select kept.amount + coalesce(sum(settled.withholding_tax_amount + settled.rounding_amount), 0)
                        from peakflo.payment_allocation as settled
                        where settled.company_id = %(company_id)s and settled.payment_id = kept.id
                    )
                else kept.unapplied_amount
            end as amount
        from peakflo.payment as kept
        where
            kept.company_id = %(company_id)s
            and kept.customer_id = any(payer_ids.ids)
            and coalesce(kept.currency, asked.home_currency) is not distinct from asked.currency
            and kept.status = 'active'
            and kept.deleted_at is null
            and (kept.unapplied_amount > 0 or (kept.origin = 'peakflo' and kept.source_id is null))
    ) as payment
    where payment.amount > 0
) as unapplied
cross join lateral (
    select
        coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'id', credit_note.id,
                    'source_id', credit_note.source_id,
                    'amount', credit_note.remaining_credit::text,
                    'date', credit_note.issue_date
                )
                order by credit_note.issue_date, credit_note.id
            ),
            '[]'
        ) as credits
    from peakflo.credit_note as credit_note
    where
        credit_note.company_id = %(company_id)s
        and credit_note.customer_id = any(payer_ids.ids)
        and coalesce(credit_note.currency, asked.home_currency) is not distinct from asked.currency
        and credit_note.status = 'open'
        and credit_note.deleted_at is null
        and credit_note.remaining_credit > 0
) as credit;
