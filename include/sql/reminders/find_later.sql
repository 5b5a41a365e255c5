-- Find the customers of whom a record may be of another moment than what was told of all changes: it is not as that
-- says, and not from before it either. The time of an answer proves nothing of how late its content is, it is when
-- QuickBooks began it. Where several answers tell, what changed since the first was begun may be in some of them only.
-- A document's money never changes without its LastUpdatedTime; of a customer's balances nobody has said so. But where
-- they are as they were before the changes were asked for, which did not tell of the customer either, they are of no
-- other moment, whatever else the record says otherwise, such as its parent's name.
with moment as (
    select
        %(changes_since)s::timestamptz as since,
        %(changes_read_at)s::timestamptz as read_at,
        %(settled_before)s::timestamptz as settled_before,
        %(told)b::bytea[] as told
),

of_customer as (
    select
        customer.id as customer_id,
        'customer' as entity,
        customer.source_id
    from peakflo.customer as customer
    where customer.company_id = %(company_id)s and customer.id = any(%(customer_ids)b::uuid[])
    union all
    select
        invoice.customer_id,
        'invoice' as entity,
        invoice.source_id
    from peakflo.invoice as invoice
    where invoice.company_id = %(company_id)s and invoice.customer_id = any(%(customer_ids)b::uuid[])
    union all
    select
        payment.customer_id,
        'payment' as entity,
        payment.source_id
    from peakflo.payment as payment
    where payment.company_id = %(company_id)s and payment.customer_id = any(%(customer_ids)b::uuid[])
    union all
    select
        credit_note.customer_id,
        'credit_memo' as entity,
        credit_note.source_id
    from peakflo.credit_note as credit_note
    where credit_note.company_id = %(company_id)s and credit_note.customer_id = any(%(customer_ids)b::uuid[])
)

select distinct of_customer.customer_id
from of_customer
cross join moment
inner join staging.record as staged
    on
        staged.realm_id = %(realm_id)s
        and of_customer.entity = staged.entity
        and of_customer.source_id = staged.qbo_id
where
    coalesce(staged.qbo_updated_at >= moment.settled_before, false)
    or (
        case
            when staged.deleted_at is null then staged.content_hash
            else convert_to(staged.entity || ' ' || staged.qbo_id, 'UTF8')
        end
        <> all(moment.told)
        and (
            staged.qbo_updated_at >= moment.since
            or (
                staged.entity = 'customer'
                and (staged.read_at > moment.read_at or staged.run_id = %(run_id)s)
                and (
                    select
                        earlier.ended_at < own.started_at
                        and before.payload -> 'Balance' = staged.payload -> 'Balance'
                        and before.payload -> 'BalanceWithJobs' = staged.payload -> 'BalanceWithJobs'
                    from staging.history as before
                    inner join sync.run as own on own.run_id = %(run_id)s
                    left join sync.run as earlier on before.run_id = earlier.run_id
                    where
                        before.realm_id = %(realm_id)s
                        and before.entity = 'customer'
                        and before.qbo_id = staged.qbo_id
                    order by before.version_id desc
                    limit 1
                ) is not true
            )
        )
    );
