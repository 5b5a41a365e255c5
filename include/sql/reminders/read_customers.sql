-- Read what customers owe in a currency and who may pay it: they and all whom they are sub-customers of, each with its
-- open invoices, QuickBooks' balance, and the money that is applied to nothing yet. A customer's records are of one
-- realm, its own.
with recursive company as (
    select
        home_currency,
        (%(read_at)s::timestamptz at time zone time_zone)::date as today
    from peakflo.company
    where company_id = %(company_id)s
),

asked as (
    select
        given.customer_id,
        given.currency
    from unnest(%(customer_ids)b::uuid[], %(currencies)b::text[]) as given (customer_id, currency)
),

-- The nearest first. QuickBooks allows five levels; a chain that ends in itself must not go on for ever.
payer as (
    select
        customer_id,
        customer_id as id,
        0 as level,
        true as is_billed
    from (select distinct customer_id from asked) as given
    union all
    select
        payer.customer_id,
        customer.parent_id as id,
        payer.level + 1 as level,
        payer.is_billed and customer.bill_with_parent as is_billed
    from payer
    inner join peakflo.customer as customer
        on customer.company_id = %(company_id)s and payer.id = customer.id
    where customer.parent_id is not null and payer.level < 9
),

payer_ids as (
    select
        customer_id,
        array_agg(id) as ids
    from payer
    group by customer_id
),

-- Who gets the bill of a customer that is billed with its parent.
billed as (
    select distinct on (customer_id)
        customer_id,
        id as head_id
    from payer
    where is_billed and level > 0
    order by customer_id asc, level desc
),

member as (
    select
        head_id,
        head_id as id,
        0 as level,
        true as is_billed
    from (select distinct billed.head_id from billed) as head
    union all
    select
        member.head_id,
        customer.id,
        member.level + 1 as level,
        member.is_billed and customer.bill_with_parent as is_billed
    from member
    inner join peakflo.customer as customer
        on customer.company_id = %(company_id)s and member.id = customer.parent_id
    where member.level < 9
),

concerned as (
    select id from payer
    union
    select id from member
),

customer as (
    select
        known.id,
        known.source_id,
        known.status,
        coalesce(known.currency, company.home_currency) as currency,
        known.balance,
        known.balance_with_children,
        -- Not what the answer told that told of all changes, and not from before them either: documents may have changed
        -- with it since. The time of an answer proves nothing, it is when QuickBooks began it.
        coalesce(
            staged.content_hash <> all(%(told_customers)b::bytea[])
            and (
                staged.qbo_updated_at >= %(changes_since)s::timestamptz
                or staged.read_at > %(changes_read_at)s::timestamptz
                or staged.run_id = %(run_id)s
            ),
            true
        ) as is_later
    from concerned
    cross join company
    inner join peakflo.customer as known on known.company_id = %(company_id)s and concerned.id = known.id
    left join staging.customer as staged on staged.realm_id = %(realm_id)s and known.source_id = staged.qbo_id
),

open_invoice as (
    select
        invoice.customer_id,
        coalesce(invoice.currency, company.home_currency) as currency,
        sum(invoice.amount_due) as due,
        sum(invoice.amount_due) filter (where invoice.due_date < company.today) as overdue
    from peakflo.invoice as invoice
    cross join company
    where
        invoice.company_id = %(company_id)s
        and invoice.customer_id = any(array(select concerned.id from concerned))
        and invoice.status = 'sent'
        and invoice.deleted_at is null
    group by invoice.customer_id, coalesce(invoice.currency, company.home_currency)
),

-- The money of a customer that QuickBooks has and that is applied to nothing, or that Peakflo has and that is meant for
-- nothing that is still open.
loose as (
    select
        payment.customer_id,
        'payment' as kind,
        payment.currency,
        payment.id,
        payment.source_id,
        payment.payment_date as date,
        payment.unapplied_amount as amount
    from peakflo.payment as payment
    where
        payment.company_id = %(company_id)s
        and payment.customer_id = any(array(select concerned.id from concerned))
        and payment.origin = 'quickbooks'
        and payment.unapplied_amount > 0
        and payment.status = 'active'
        and payment.deleted_at is null
    union all
    -- What QuickBooks has not applied of a payment of Peakflo's: peakflo.payment says what Peakflo took.
    select
        payment.customer_id,
        'payment' as kind,
        payment.currency,
        payment.id,
        payment.source_id,
        payment.payment_date as date,
        staging.amount(staged.payload ->> 'UnappliedAmt') as amount
    from peakflo.payment as payment
    inner join staging.payment as staged
        on staged.realm_id = %(realm_id)s and payment.source_id = staged.qbo_id
    where
        payment.company_id = %(company_id)s
        and payment.customer_id = any(array(select concerned.id from concerned))
        and payment.origin = 'peakflo'
        and staged.deleted_at is null
        and staging.amount(staged.payload ->> 'UnappliedAmt') > 0
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
        and credit_note.customer_id = any(array(select concerned.id from concerned))
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
        and unbooked.customer_id = any(array(select concerned.id from concerned))
        and unbooked.spare_amount > 0
),

money as (
    select
        loose.customer_id,
        coalesce(loose.currency, company.home_currency) as currency,
        jsonb_agg(item.money order by loose.date, loose.id) filter (where loose.kind = 'payment') as payments,
        jsonb_agg(item.money order by loose.date, loose.id) filter (where loose.kind = 'credit') as credits,
        jsonb_agg(item.money order by loose.date, loose.id) filter (where loose.kind = 'unbooked') as unbooked
    from loose
    cross join company
    cross join lateral (
        values (
            jsonb_build_object(
                'id', loose.id,
                'source_id', loose.source_id,
                'amount', loose.amount::text,
                'date', loose.date,
                'is_future', loose.date > company.today
            )
        )
    ) as item (money)
    group by loose.customer_id, coalesce(loose.currency, company.home_currency)
),

-- What is staged or even refused and not merged: what is merged of these is old.
waiting as (
    select
        unmerged.entity,
        unmerged.qbo_id
    from staging.unmerged as unmerged
    where unmerged.realm_id = %(realm_id)s and unmerged.entity in ('customer', 'invoice', 'payment', 'credit_memo')
    union
    select
        entity,
        qbo_id
    from sync.problem
    where
        company_id = %(company_id)s
        and realm_id = %(realm_id)s
        and direction = 'inbound'
        and state <> 'resolved'
        and entity in ('customer', 'invoice', 'payment', 'credit_memo')
),

-- Whose it is, as far as that can be told.
waiting_of as (
    select
        waiting.entity,
        mapped.peakflo_id as customer_id
    from waiting
    left join staging.record as record
        on
            record.realm_id = %(realm_id)s
            and waiting.entity = record.entity
            and waiting.qbo_id = record.qbo_id
    left join mapping.customer as mapped
        on
            mapped.realm_id = %(realm_id)s
            and mapped.qbo_id
            = case waiting.entity
                when 'customer' then waiting.qbo_id
                else record.payload #>> '{CustomerRef,value}'
            end
)

select
    asked.customer_id,
    asked.currency,
    known.source_id as customer_qbo_id,
    known.status as customer_status,
    coalesce(total.due, 0) as total_due,
    coalesce(total.overdue, 0) as total_overdue,
    (
        select
            jsonb_agg(
                jsonb_build_object(
                    'customer_id', customer.id,
                    'source_id', customer.source_id,
                    'open', coalesce(open_invoice.due, 0)::text,
                    'balance',
                    case when customer.currency is not distinct from asked.currency then customer.balance end::text,
                    'is_later', customer.is_later,
                    'payments', coalesce(money.payments, '[]'),
                    'credits', coalesce(money.credits, '[]'),
                    'unbooked', coalesce(money.unbooked, '[]')
                )
                order by payer.level
            )
        from payer
        inner join customer on payer.id = customer.id
        left join open_invoice
            on customer.id = open_invoice.customer_id and asked.currency is not distinct from open_invoice.currency
        left join money on customer.id = money.customer_id and asked.currency is not distinct from money.currency
        where
            payer.customer_id = asked.customer_id
            and (payer.level = 0 or customer.currency is not distinct from asked.currency)
    ) as payers,
    (
        select
            jsonb_build_object(
                'head_id', head.id,
                'source_id', head.source_id,
                'open', coalesce(sum(open_invoice.due) filter (where member.is_billed), 0)::text,
                'owed',
                (
                    head.balance_with_children
                    - coalesce(sum(customer.balance) filter (where not member.is_billed), 0)
                )::text,
                -- Where it adds up, it is of the same moment as the balances.
                'is_later',
                bool_or(customer.is_later)
                and head.balance_with_children is distinct from sum(customer.balance)
            )
        from billed
        inner join customer as head on billed.head_id = head.id
        inner join member on billed.head_id = member.head_id
        inner join customer on member.id = customer.id
        left join open_invoice
            on customer.id = open_invoice.customer_id and asked.currency is not distinct from open_invoice.currency
        where billed.customer_id = asked.customer_id and head.currency is not distinct from asked.currency
        group by head.id, head.source_id, head.balance_with_children
    ) as family,
    exists(
        select
        from waiting_of
        where
            waiting_of.entity <> 'invoice'
            and waiting_of.customer_id = any(payer_ids.ids)
    ) as is_customer_waiting,
    exists(
        select
        from waiting_of
        where
            waiting_of.customer_id is null
            or waiting_of.customer_id = any(payer_ids.ids)
    ) as has_strays
from asked
inner join customer as known on asked.customer_id = known.id
inner join payer_ids on asked.customer_id = payer_ids.customer_id
left join open_invoice as total
    on asked.customer_id = total.customer_id and asked.currency is not distinct from total.currency;
