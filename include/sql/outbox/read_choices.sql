-- Tell what a person may decide about a delivery: the same as the statements that carry it out allow.
with known as (
    select
        delivery.*,
        delivery.operation = 'create' and coalesce(outbox.is_gone(delivery), false) as is_gone,
        coalesce(payment.status = 'active', false) as counts
    from outbox.delivery as delivery
    left join peakflo.payment as payment
        on delivery.company_id = payment.company_id and delivery.payment_id = payment.id
    where delivery.company_id = %(company_id)s and delivery.delivery_id = %(delivery_id)s
)

select
    (
        delivery.state in ('held', 'rejected', 'possible_orphan', 'ignored')
        and (delivery.leg = 'payment' or delivery.qbo_id is null)
    )
    or (
        delivery.state = 'ignored'
        and delivery.operation = 'create'
        and delivery.qbo_id is not null
        and delivery.payload is not null
    )
    or (
        delivery.is_gone
        and delivery.state in ('delivered', 'ignored')
        and delivery.counts
        and (
            delivery.leg = 'payment'
            or exists (
                select
                from outbox.delivery as whole
                where
                    whole.company_id = delivery.company_id
                    and whole.payment_id = delivery.payment_id
                    and whole.leg = 'payment'
                    and whole.operation = 'create'
                    and whole.state = 'delivered'
                    and not whole.payload -> 'Line' @> '[{"LinkedTxn": [{"TxnType": "JournalEntry"}]}]'
            )
        )
    ) as may_retry,
    delivery.state in ('queued', 'held', 'rejected', 'possible_orphan')
    or (delivery.state = 'delivered' and delivery.is_gone and delivery.counts) as may_ignore,
    case
        when delivery.state = 'possible_orphan' then 'may_be_there'
        when delivery.is_gone and delivery.state in ('delivered', 'ignored') then 'was_undone'
    end as doubt
from known as delivery;
