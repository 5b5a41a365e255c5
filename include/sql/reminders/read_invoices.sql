-- Read what is known of each invoice to judge.
with company as (
    select
        home_currency,
        (%(read_at)s::timestamptz at time zone time_zone)::date as today
    from peakflo.company
    where company_id = %(company_id)s
),

-- The payments with a date in the future, by the invoice that they are applied to.
future as (
    select
        allocation.target_id,
        jsonb_agg(
            jsonb_build_object(
                'id', payment.id,
                'source_id', payment.source_id,
                'amount', allocation.amount::text,
                'date', payment.payment_date
            )
            order by payment.payment_date, payment.id
        ) as payments
    from peakflo.payment as payment
    inner join peakflo.payment_allocation as allocation
        on allocation.company_id = %(company_id)s and payment.id = allocation.payment_id
    where
        payment.company_id = %(company_id)s
        and payment.payment_date > (select company.today from company)
        and payment.deleted_at is null
    group by allocation.target_id
),

-- What Peakflo took for an invoice and QuickBooks' balance of it does not know.
unbooked as (
    select
        allocation.invoice_id,
        jsonb_agg(
            jsonb_build_object(
                'id', allocation.payment_id,
                'source_id', null,
                'amount', allocation.covers::text,
                'date', allocation.payment_date,
                'is_future', allocation.payment_date > company.today
            )
            order by allocation.payment_date, allocation.payment_id
        ) as payments
    from outbox.unbooked_allocation as allocation
    cross join company
    where
        allocation.company_id = %(company_id)s
        and allocation.invoice_id = any(%(invoice_ids)b::uuid[])
        and allocation.covers > 0
    group by allocation.invoice_id
),

-- Peakflo's payments of an invoice whose state in QuickBooks somebody has to look into, or nobody has looked at since
-- it changed.
questioned as (
    select
        allocation.target_id as invoice_id,
        array_agg(distinct allocation.payment_id::text order by allocation.payment_id::text) as payment_ids
    from (
        select problem.peakflo_id as payment_id
        from sync.problem as problem
        where
            problem.company_id = %(company_id)s
            and problem.realm_id = %(realm_id)s
            and problem.direction = 'outbound'
            and problem.state = 'open'
        union all
        select queue.payment_id
        from outbox.queue as queue
        inner join outbox.record as record
            on queue.company_id = record.company_id and queue.payment_id = record.payment_id
        where queue.company_id = %(company_id)s and record.state = 'made'
    ) as doubtful
    inner join peakflo.payment_allocation as allocation
        on allocation.company_id = %(company_id)s and doubtful.payment_id = allocation.payment_id
    group by allocation.target_id
)

select
    known.id as invoice_id,
    known.source_id as qbo_id,
    known.customer_id,
    known.status,
    known.deleted_at is not null as is_deleted,
    known.amount_due,
    coalesce(known.currency, company.home_currency) as currency,
    known.due_date,
    known.due_date_basis,
    staged.sync_token,
    staged.qbo_updated_at,
    coalesce(future.payments, '[]') as future_payments,
    coalesce(unbooked.payments, '[]') as unbooked,
    coalesce(questioned.payment_ids, '{}') as questioned
from unnest(%(invoice_ids)b::uuid[]) as given (id)
cross join company
inner join peakflo.invoice as known on known.company_id = %(company_id)s and given.id = known.id
inner join staging.invoice as staged on staged.realm_id = %(realm_id)s and known.source_id = staged.qbo_id
left join future on known.id = future.target_id
left join unbooked on known.id = unbooked.invoice_id
left join questioned on known.id = questioned.invoice_id;
