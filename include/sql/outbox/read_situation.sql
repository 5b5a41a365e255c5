-- Read all that a decision about a payment of Peakflo's rests on: what Peakflo says, what QuickBooks was last seen to
-- have of it, and what people decided.
with payment as materialized (
    select *
    from peakflo.payment
    where company_id = %(company_id)s and id = %(payment_id)s and origin = 'peakflo'
),

had as materialized (
    select *
    from outbox.had
    where company_id = %(company_id)s and payment_id = %(payment_id)s
),

-- What the payment is compared with is given, not joined: else all notes of the company would be read for each payment.
stray as materialized (
    select named.*
    from outbox.named_record as named
    where
        named.realm_id = (select payment.realm_id from payment)
        and named.payment_id = %(payment_id)s
        and (named.document, named.qbo_id) not in (
            select
                had.document,
                had.qbo_id
            from had
            where had.qbo_id is not null
        )
        -- What was a payment of QuickBooks' own before its note named another one stays that.
        and not exists (
            select
            from mapping.payment as mapped
            where
                mapped.realm_id = named.realm_id
                and mapped.qbo_id = named.qbo_id
                and mapped.origin = 'quickbooks'
                and named.document = 'payment'
        )
),

allocation as materialized (
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
    from payment
    inner join peakflo.payment_allocation as allocated
        on payment.company_id = allocated.company_id and payment.id = allocated.payment_id
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
        invoice.total_amount,
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
        credit_note.total_amount,
        null as receivable_qbo_id
    from allocation
    left join peakflo.credit_note as credit_note
        on
            credit_note.company_id = %(company_id)s
            and allocation.target_id = credit_note.id
            and allocation.realm_id = credit_note.realm_id
    where allocation.target_type = 'credit_note'
),

judged as (
    select
        target.*,
        coalesce(
            target.deleted_at is not null or target.status in ('draft', 'cancelled', 'voided', 'deleted'), false
        ) as is_gone,
        -- What payments of ours took that QuickBooks has or may have, but that have not been read back, is open no
        -- more; what those took that were undone there, which has not been read back, is open again.
        coalesce(
            (
                select sum(taken.amount + taken.withholding_tax_amount + taken.rounding_amount)
                from peakflo.payment_allocation as taken
                inner join outbox.record as sent
                    on
                        taken.company_id = sent.company_id
                        and taken.payment_id = sent.payment_id
                        and sent.document = 'payment'
                        and sent.state in ('sent', 'unknown', 'made')
                where
                    taken.company_id = %(company_id)s
                    and taken.target_id = target.target_id
                    and taken.payment_id <> %(payment_id)s
                    and not exists (
                        select
                        from staging.payment as staged
                        where staged.realm_id = sent.realm_id and staged.qbo_id = sent.qbo_id
                    )
            ),
            0
        ) as taken,
        coalesce(
            (
                select sum(staging.amount(line.item ->> 'Amount'))
                from peakflo.payment_allocation as given
                inner join outbox.record as undone
                    on
                        given.company_id = undone.company_id
                        and given.payment_id = undone.payment_id
                        and undone.document = 'payment'
                        and undone.state = 'undone'
                inner join staging.payment as staged
                    on undone.realm_id = staged.realm_id and undone.qbo_id = staged.qbo_id
                cross join lateral staging.items(staged.payload -> 'Line') as line (item)
                cross join lateral staging.items(line.item -> 'LinkedTxn') as linked (item)
                where
                    given.company_id = %(company_id)s
                    and given.target_id = target.target_id
                    and staged.deleted_at is null
                    and staged.sync_token <= coalesce(undone.undone_sync_token, 0)
                    and linked.item ->> 'TxnId' = target.qbo_id
                    and linked.item ->> 'TxnType'
                    = case target.target_type when 'invoice' then 'Invoice' else 'CreditMemo' end
            ),
            0
        ) as given_back
    from target
),

customer as (
    select customer.*
    from payment
    inner join peakflo.customer as customer
        on
            payment.company_id = customer.company_id
            and customer.id = outbox.payer(payment.company_id, payment.id)
),

-- The customers that the records name, for those that were merged.
named as (
    select distinct reference.value #>> '{}' as qbo_id
    from (
        select payload from had
        union all
        select read -> 'content' from had
        union all
        select version -> 'content' from stray
    ) as record (content)
    cross join (
        values ('strict $.**.CustomerRef.value'::jsonpath), ('strict $.**.EntityRef.value'::jsonpath)
    ) as path (expression)
    cross join lateral jsonb_path_query(record.content, path.expression) as reference (value)
)

select
    payment.id as payment_id,
    payment.realm_id,
    payment.status,
    payment.settled_at,
    payment.payment_date,
    payment.amount,
    payment.processing_fee,
    coalesce(payment.currency, '') as currency,
    payment.exchange_rate,
    payment.reference,
    payment.note,
    payment.wallet,
    customer.company_name as customer_name,
    customer.source_id as customer_qbo_id,
    customer.realm_id as customer_realm_id,
    customer.status as customer_status,
    customer.currency as customer_currency,
    -- What a customer had that was merged is another one's.
    customer.status = 'archived' and (
        exists (
            select
            from peakflo.invoice as invoice
            where
                invoice.company_id = payment.company_id
                and invoice.customer_id = customer.id
                and invoice.deleted_at is null
        )
        or exists (
            select
            from peakflo.payment as other
            where
                other.company_id = payment.company_id
                and other.customer_id = customer.id
                and other.origin = 'quickbooks'
                and other.deleted_at is null
        )
        or exists (
            select
            from peakflo.credit_note as credit_note
            where
                credit_note.company_id = payment.company_id
                and credit_note.customer_id = customer.id
                and credit_note.deleted_at is null
        )
    ) as has_records,
    company.realm_id as company_realm_id,
    company.home_currency,
    company.book_close_date,
    coalesce(connection.status, 'disconnected') as connection_status,
    coalesce(setting.auto_sync, true) as is_auto_sync,
    coalesce(setting.rounding_limit, 1) as rounding_limit,
    coalesce(setting.rounding_share, 0.005) as rounding_share,
    setting.approval_above,
    coalesce(setting.leaves_excess, false) as leaves_excess,
    (
        select method.qbo_id
        from staging.payment_method as method
        where
            method.realm_id = payment.realm_id
            and method.deleted_at is null
            and lower(method.payload ->> 'Name') = lower(payment.method)
            and method.payload ->> 'Active' is distinct from 'false'
        order by method.qbo_id
        limit 1
    ) as method_qbo_id,
    clock_timestamp() as read_at,
    (
        select queue.queued_at
        from outbox.queue as queue
        where queue.company_id = %(company_id)s and queue.payment_id = %(payment_id)s
    ) as queued_at,
    (
        select
            (
                jsonb_build_array(delivery.kind, delivery.code, delivery.sentence)
                || (
                    select coalesce(jsonb_agg(problem.code), '[]')
                    from sync.problem as problem
                    where
                        problem.company_id = %(company_id)s
                        and problem.direction = 'outbound'
                        and problem.peakflo_id = %(payment_id)s
                        and problem.state <> 'resolved'
                )
            )::text
        from outbox.delivery as delivery
        where delivery.company_id = %(company_id)s and delivery.payment_id = %(payment_id)s
    ) as stands,
    outbox.snapshot(payment.company_id, payment.id)::text as snapshot,
    -- Whether the sync log has no gap in which payments may have been delivered that this database, put back to an
    -- earlier day, knows nothing of.
    (
        select coalesce(max(gap.length) <= %(longest_gap)s::interval, false)
        from (
            select min(position.changed_since) as changed_since
            from staging.cursor as position
            where position.realm_id = payment.realm_id and position.entity in ('payment', 'journal_entry')
        ) as known
        cross join lateral (
            select moment.happened_at - lag(moment.happened_at) over (order by moment.happened_at) as length
            from (
                select known.changed_since as happened_at
                union all
                select run.started_at
                from sync.run as run
                where run.company_id = payment.company_id and run.started_at > known.changed_since
                union all
                select clock_timestamp()
            ) as moment
        ) as gap
        where known.changed_since is not null
    ) as is_record_whole,
    (
        select
            coalesce(
                jsonb_agg(
                    to_jsonb(judged)
                    || jsonb_build_object(
                        'open_amount', judged.open_amount - judged.taken + judged.given_back,
                        'candidate',
                        case
                            when judged.is_gone and judged.target_type = 'invoice'
                                then
                                    (
                                        select (array_agg(remade.id))[1]
                                        from peakflo.invoice as remade
                                        where
                                            remade.company_id = %(company_id)s
                                            and remade.realm_id = judged.realm_id
                                            and remade.customer_id = judged.owner_id
                                            and remade.invoice_number = judged.number
                                            and remade.total_amount = judged.total_amount
                                            and remade.id <> judged.target_id
                                            and remade.status = 'sent'
                                            and remade.deleted_at is null
                                        having count(*) = 1
                                    )
                        end,
                        'owner_name',
                        (
                            select owner.company_name
                            from peakflo.customer as owner
                            where owner.company_id = %(company_id)s and owner.id = judged.owner_id
                        ),
                        'is_of_payer', outbox.pays_for(%(company_id)s, judged.payer_id, judged.owner_id)
                    )
                    order by judged.target_type = 'credit_note', judged.position
                ),
                '[]'
            )::text
        from judged
    ) as targets,
    (
        select coalesce(jsonb_agg(to_jsonb(had) order by had.document desc, had.generation asc), '[]')::text
        from had
    ) as records,
    (
        select coalesce(jsonb_agg(to_jsonb(stray) order by length(stray.qbo_id), stray.qbo_id), '[]')::text
        from stray
    ) as strays,
    (
        select coalesce(jsonb_agg(to_jsonb(decision)), '[]')::text
        from outbox.decision as decision
        where decision.company_id = %(company_id)s and decision.payment_id = %(payment_id)s
    ) as decisions,
    (
        select coalesce(jsonb_object_agg(named.qbo_id, mapping.survivor(payment.realm_id, named.qbo_id)), '{}')::text
        from named
        inner join mapping.merged_customer as merged
            on payment.realm_id = merged.realm_id and named.qbo_id = merged.qbo_id
    ) as survivors,
    (
        select
            coalesce(
                jsonb_agg(
                    jsonb_build_object(
                        'purpose', mapped.purpose,
                        'detail', mapped.detail,
                        'qbo_id', mapped.account_qbo_id,
                        'name', account.full_name,
                        'type', account.type,
                        'currency', account.currency,
                        'status', account.status
                    )
                ),
                '[]'
            )::text
        from sync.account_mapping as mapped
        left join peakflo.account as account
            on
                mapped.company_id = account.company_id
                and mapped.realm_id = account.realm_id
                and mapped.account_qbo_id = account.source_id
        where mapped.company_id = %(company_id)s and mapped.realm_id = payment.realm_id
    ) as accounts,
    (
        select coalesce(jsonb_agg(account.source_id order by account.source_id), '[]')::text
        from peakflo.account as account
        where
            account.company_id = %(company_id)s
            and account.realm_id = payment.realm_id
            and account.type = 'Accounts Receivable'
            and account.status = 'active'
            and coalesce(account.currency, payment.currency) = payment.currency
    ) as receivables
from payment
inner join customer on true
inner join peakflo.company as company on payment.company_id = company.company_id
left join sync.connection as connection on payment.company_id = connection.company_id
left join sync.company_setting as setting on payment.company_id = setting.company_id;
