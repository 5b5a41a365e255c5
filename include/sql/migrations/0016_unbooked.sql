-- What Peakflo took and QuickBooks' balances know nothing of, for the verdicts before reminders.
create index on peakflo.payment (company_id)
where origin = 'peakflo' and source_id is null and status = 'active' and deleted_at is null;

create index on peakflo.customer (company_id, parent_id) where parent_id is not null;

-- The payments: those that are not in QuickBooks, or may not be, and those that were voided or deleted there while
-- Peakflo has the money. One whose delivery a person let go of was settled otherwise; one that was let go of after it
-- had been undone in QuickBooks is as QuickBooks says.
create view outbox.outside_payment as
select
    payment.company_id,
    payment.realm_id,
    payment.id as payment_id,
    payment.customer_id,
    payment.currency,
    payment.payment_date,
    payment.amount,
    payment.created_at,
    exists(
        select
        from outbox.delivery as delivery
        where
            delivery.company_id = payment.company_id
            and delivery.payment_id = payment.id
            and delivery.leg = 'payment'
            and delivery.operation = 'create'
            and delivery.state = 'ignored'
    ) as is_let_go
from peakflo.payment as payment
where
    payment.origin = 'peakflo'
    and payment.source_id is null
    and payment.status = 'active'
    and payment.deleted_at is null
union all
select
    payment.company_id,
    payment.realm_id,
    payment.id as payment_id,
    payment.customer_id,
    payment.currency,
    payment.payment_date,
    payment.amount,
    payment.created_at,
    false as is_let_go
from (
    select distinct
        problem.company_id,
        problem.peakflo_id
    from sync.problem as problem
    where
        problem.direction = 'outbound'
        and problem.code in ('voided_in_quickbooks', 'deleted_in_quickbooks')
        and problem.state <> 'resolved'
) as undone
inner join peakflo.payment as payment
    on undone.company_id = payment.company_id and undone.peakflo_id = payment.id
where
    payment.source_id is not null
    and payment.status = 'active'
    and payment.deleted_at is null
    and not exists (
        select
        from outbox.delivery as delivery
        where
            delivery.company_id = payment.company_id
            and delivery.payment_id = payment.id
            and delivery.leg = 'payment'
            and delivery.operation = 'create'
            and delivery.state = 'ignored'
    );

-- What of such a payment counts for which invoice, whoever the invoice's customer is by now, and what of it is more
-- than the invoice still owes. What was let go of counts as far as the invoice was not settled otherwise since Peakflo
-- took it.
create view outbox.unbooked_allocation as
with allocated as (
    select
        outside.company_id,
        outside.realm_id,
        outside.payment_id,
        outside.payment_date,
        outside.is_let_go,
        allocation.target_id as invoice_id,
        allocation.amount + allocation.withholding_tax_amount + allocation.rounding_amount as amount,
        sum(allocation.amount + allocation.withholding_tax_amount + allocation.rounding_amount) over (
            partition by outside.company_id, allocation.target_id, outside.is_let_go
            order by outside.payment_date, outside.payment_id, allocation.position
        ) as running,
        min(outside.created_at) over (
            partition by outside.company_id, allocation.target_id, outside.is_let_go
        ) as taken_at
    from outbox.outside_payment as outside
    inner join peakflo.payment_allocation as allocation
        on outside.company_id = allocation.company_id and outside.payment_id = allocation.payment_id
    where allocation.target_type = 'invoice'
),

compared as (
    select
        allocated.*,
        case
            when allocated.is_let_go
                then
                    coalesce(invoice.total_amount - invoice.amount_due, 0)
                    - coalesce(
                        (
                            select
                                case
                                    when
                                        jsonb_typeof(version.payload -> 'TotalAmt') = 'number'
                                        and jsonb_typeof(version.payload -> 'Balance') = 'number'
                                        then
                                            (version.payload ->> 'TotalAmt')::numeric
                                            - (version.payload ->> 'Balance')::numeric
                                end
                            from staging.version as version
                            where
                                version.realm_id = invoice.realm_id
                                and version.entity = 'invoice'
                                and version.qbo_id = invoice.source_id
                                and version.read_at <= allocated.taken_at
                            order by version.read_at desc
                            limit 1
                        ),
                        0
                    )
        end as settled_since,
        case when invoice.status = 'sent' and invoice.deleted_at is null then invoice.amount_due else 0 end as due
    from allocated
    left join peakflo.invoice as invoice
        on allocated.company_id = invoice.company_id and allocated.invoice_id = invoice.id
)

select
    company_id,
    payment_id,
    payment_date,
    invoice_id,
    is_let_go,
    case
        when is_let_go then least(amount, greatest(0, running - settled_since))
        else least(amount, greatest(0, amount - (running - due)))
    end as covers,
    case when is_let_go then 0 else least(amount, greatest(0, running - due)) end as surplus
from compared;

-- What of such a payment is meant for nothing that is still open: it counts for all that its customer owes, or the one
-- it was merged into.
create view outbox.unbooked_payment as
select
    outside.company_id,
    outside.payment_id,
    coalesce(merged.survivor_id, outside.customer_id) as customer_id,
    outside.currency,
    outside.payment_date,
    case
        when outside.is_let_go then 0
        else
            greatest(
                0,
                outside.amount
                - coalesce(
                    (
                        select
                            sum(
                                case allocation.target_type
                                    when 'credit_note' then -allocation.amount else allocation.amount
                                end
                            )
                        from peakflo.payment_allocation as allocation
                        where
                            allocation.company_id = outside.company_id
                            and allocation.payment_id = outside.payment_id
                    ),
                    0
                )
            )
            + coalesce(
                (
                    select sum(allocation.surplus)
                    from outbox.unbooked_allocation as allocation
                    where
                        allocation.company_id = outside.company_id
                        and allocation.payment_id = outside.payment_id
                ),
                0
            )
    end as spare_amount
from outbox.outside_payment as outside
left join mapping.customer_merge as merged
    on outside.realm_id = merged.realm_id and outside.customer_id = merged.peakflo_id;
