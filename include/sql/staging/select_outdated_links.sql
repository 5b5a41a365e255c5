-- List the invoices and credit memos whose settled amount a waiting payment changed (settled, moved, voided or
-- deleted) although QuickBooks did not send them along, to be read by Id before the merge: all that were read before
-- the payment, whatever their times say. A payment that cannot be merged changes nothing more.
with waiting as (
    select
        staged.qbo_id,
        staged.read_at,
        staged.deleted_at,
        staged.payload
    from staging.unmerged as unmerged
    inner join staging.payment as staged
        on unmerged.realm_id = staged.realm_id and unmerged.qbo_id = staged.qbo_id
    where
        unmerged.realm_id = %(realm_id)s
        and unmerged.entity = 'payment'
        and staged.payload ->> 'status' is distinct from 'Deleted'
        and not exists (
            select 1
            from sync.problem as problem
            where
                problem.company_id = %(company_id)s
                and problem.realm_id = %(realm_id)s
                and problem.direction = 'inbound'
                and problem.entity = 'payment'
                and problem.qbo_id = staged.qbo_id
                and problem.state <> 'resolved'
        )
),

link as (
    select
        waiting.qbo_id as payment_qbo_id,
        linked.item ->> 'TxnId' as qbo_id,
        case linked.item ->> 'TxnType' when 'Invoice' then 'invoice' when 'CreditMemo' then 'credit_memo' end as entity,
        sum(staging.amount(line.item ->> 'Amount')) as amount
    from waiting
    cross join lateral staging.items(waiting.payload -> 'Line') as line (item)
    cross join lateral staging.items(line.item -> 'LinkedTxn') as linked (item)
    where waiting.deleted_at is null
    group by 1, 2, 3
),

merged_link as (
    select
        waiting.qbo_id as payment_qbo_id,
        allocation.target_source_id as qbo_id,
        case allocation.target_type when 'invoice' then 'invoice' when 'credit_note' then 'credit_memo' end as entity,
        sum(allocation.amount) as amount
    from waiting
    inner join mapping.payment as payment
        on payment.realm_id = %(realm_id)s and waiting.qbo_id = payment.qbo_id
    inner join peakflo.payment_allocation as allocation
        on allocation.company_id = %(company_id)s and payment.peakflo_id = allocation.payment_id
    group by 1, 2, 3
),

changed_link as (
    select
        coalesce(link.payment_qbo_id, merged_link.payment_qbo_id) as payment_qbo_id,
        coalesce(link.entity, merged_link.entity) as entity,
        coalesce(link.qbo_id, merged_link.qbo_id) as qbo_id
    from link
    full join merged_link
        on
            link.payment_qbo_id = merged_link.payment_qbo_id
            and link.entity = merged_link.entity
            and link.qbo_id = merged_link.qbo_id
    where link.amount is distinct from merged_link.amount
)

select
    changed_link.entity,
    array_agg(distinct changed_link.qbo_id) as qbo_ids
from changed_link
inner join waiting on changed_link.payment_qbo_id = waiting.qbo_id
inner join staging.record as staged
    on
        staged.realm_id = %(realm_id)s
        and changed_link.entity = staged.entity
        and changed_link.qbo_id = staged.qbo_id
where
    staged.deleted_at is null
    and staged.read_at < waiting.read_at
group by 1
order by 1;
