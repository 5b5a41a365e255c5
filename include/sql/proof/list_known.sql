-- List what is staged and what Peakflo has of each record that is about money, side by side. Payments that Peakflo took
-- itself are not QuickBooks' to tell: of those only what is staged.
with merged as (
    select
        qbo_id,
        survivor_qbo_id
    from mapping.customer_merge
    where realm_id = %(realm_id)s
),

staged as (
    select
        record.entity,
        record.qbo_id,
        record.sync_token,
        record.qbo_updated_at,
        record.content_hash,
        coalesce(
            case when pg_input_is_valid(record.payload #>> '{MetaData,CreateTime}', 'timestamptz')
                then (record.payload #>> '{MetaData,CreateTime}')::timestamptz
            end,
            'epoch'
        ) as created_at,
        proof.facts_of(record.entity, record.payload, record.deleted_at is not null) as facts
    from staging.record as record
    where
        record.realm_id = %(realm_id)s
        and record.entity in ('account', 'customer', 'invoice', 'credit_memo', 'payment')
),

customer as (
    select
        id,
        source_id
    from peakflo.customer
    where company_id = %(company_id)s and realm_id = %(realm_id)s
),

kept as (
    select
        'account' as entity,
        account.source_id,
        'quickbooks' as origin,
        row(
            account.status, account.name, parent.source_id, account.currency, null, null, account.balance, null, null,
            null
        )::proof.facts as facts
    from peakflo.account as account
    left join peakflo.account as parent
        on account.company_id = parent.company_id and account.parent_id = parent.id
    where account.company_id = %(company_id)s and account.realm_id = %(realm_id)s
    union all
    select
        'customer' as entity,
        kept.source_id,
        'quickbooks' as origin,
        row(
            kept.status, kept.company_name, parent.source_id, kept.currency, null, null, kept.balance, null, null, null
        )::proof.facts as facts
    from peakflo.customer as kept
    left join customer as parent on kept.parent_id = parent.id
    where kept.company_id = %(company_id)s and kept.realm_id = %(realm_id)s
    union all
    select
        'invoice' as entity,
        invoice.source_id,
        'quickbooks' as origin,
        row(
            case
                when invoice.deleted_at is not null then 'deleted'
                when invoice.status = 'cancelled' then 'voided'
                else 'active'
            end,
            invoice.invoice_number, customer.source_id, invoice.currency, invoice.exchange_rate, invoice.total_amount,
            invoice.amount_due, invoice.issue_date::text,
            case when invoice.due_date_basis = 'quickbooks' then invoice.due_date::text end,
            null
        )::proof.facts as facts
    from peakflo.invoice as invoice
    left join customer on invoice.customer_id = customer.id
    where invoice.company_id = %(company_id)s and invoice.realm_id = %(realm_id)s
    union all
    select
        'credit_memo' as entity,
        note.source_id,
        'quickbooks' as origin,
        row(
            case
                when note.deleted_at is not null then 'deleted'
                when note.status = 'voided' then 'voided'
                else 'active'
            end,
            note.credit_note_number, customer.source_id, note.currency, note.exchange_rate, note.total_amount,
            note.remaining_credit, note.issue_date::text, null, null
        )::proof.facts as facts
    from peakflo.credit_note as note
    left join customer on note.customer_id = customer.id
    where note.company_id = %(company_id)s and note.realm_id = %(realm_id)s
    union all
    select
        'payment' as entity,
        payment.source_id,
        payment.origin,
        row(
            case when payment.deleted_at is not null then 'deleted' else payment.status end,
            payment.reference, customer.source_id, payment.currency, payment.exchange_rate, payment.amount,
            payment.unapplied_amount, payment.payment_date::text, null,
            (
                select string_agg(link.said, ', ' order by link.said)
                from (
                    select
                        concat_ws(
                            ' ',
                            case allocation.target_type
                                when 'credit_note' then 'CreditMemo'
                                else replace(initcap(replace(allocation.target_type, '_', ' ')), ' ', '')
                            end,
                            allocation.target_source_id,
                            trim_scale(allocation.amount)
                        ) as said
                    from peakflo.payment_allocation as allocation
                    where allocation.company_id = payment.company_id and allocation.payment_id = payment.id
                ) as link
            )
        )::proof.facts as facts
    from peakflo.payment as payment
    left join customer on payment.customer_id = customer.id
    where payment.company_id = %(company_id)s and payment.realm_id = %(realm_id)s and payment.source_id is not null
)

select
    coalesce(staged.entity, kept.entity) as entity,
    coalesce(staged.qbo_id, kept.source_id) as qbo_id,
    staged.created_at,
    encode(staged.content_hash, 'hex') as content_hash,
    staged.sync_token,
    staged.qbo_updated_at as updated_at,
    coalesce(kept.origin = 'peakflo', false) as is_own,
    waiting.qbo_id is not null as is_waiting,
    problem.message as problem,
    coalesce(staged_owner.survivor_qbo_id, (staged.facts).owner_id) as staged_owner_id,
    coalesce(kept_owner.survivor_qbo_id, (kept.facts).owner_id) as peakflo_owner_id,
    (staged.facts).status as staged_status,
    (staged.facts).name as staged_name,
    (staged.facts).currency as staged_currency,
    (staged.facts).rate as staged_rate,
    (staged.facts).total as staged_total,
    (staged.facts).open as staged_open,
    (staged.facts).issue_date as staged_issue_date,
    (staged.facts).due_date as staged_due_date,
    (staged.facts).links as staged_links,
    (kept.facts).status as peakflo_status,
    (kept.facts).name as peakflo_name,
    (kept.facts).currency as peakflo_currency,
    (kept.facts).rate as peakflo_rate,
    (kept.facts).total as peakflo_total,
    (kept.facts).open as peakflo_open,
    (kept.facts).issue_date as peakflo_issue_date,
    (kept.facts).due_date as peakflo_due_date,
    (kept.facts).links as peakflo_links
from staged
full join kept on staged.entity = kept.entity and staged.qbo_id = kept.source_id
left join merged as staged_owner on (staged.facts).owner_id = staged_owner.qbo_id
left join merged as kept_owner on (kept.facts).owner_id = kept_owner.qbo_id
left join staging.unmerged as waiting
    on
        waiting.realm_id = %(realm_id)s
        and staged.entity = waiting.entity
        and staged.qbo_id = waiting.qbo_id
left join lateral (
    select inbound.message
    from sync.problem as inbound
    where
        inbound.company_id = %(company_id)s
        and inbound.realm_id = %(realm_id)s
        and inbound.direction = 'inbound'
        and inbound.entity = coalesce(staged.entity, kept.entity)
        and inbound.qbo_id = coalesce(staged.qbo_id, kept.source_id)
        and inbound.state <> 'resolved'
    order by inbound.problem_id
    limit 1
) as problem on true;
