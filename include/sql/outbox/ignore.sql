-- Let go of a delivery that a person has settled otherwise, or of what QuickBooks no longer has. What waits to be sent
-- with a payment is not sent without it.
with ignored as (
    update outbox.delivery
    set state = 'ignored'
    where
        delivery_id = %(delivery_id)s
        and company_id = %(company_id)s
        and (
            state in ('queued', 'held', 'rejected', 'possible_orphan')
            or (
                state = 'delivered'
                and operation = 'create'
                and outbox.is_gone(delivery)
                -- What Peakflo took back is rightly gone.
                and exists (
                    select
                    from peakflo.payment as payment
                    where
                        payment.company_id = delivery.company_id
                        and payment.id = delivery.payment_id
                        and payment.status = 'active'
                )
            )
        )
    returning delivery_id, company_id, payment_id, leg, operation
),

withdrawn as (
    update outbox.delivery as entry
    set
        state = 'withdrawn',
        code = 'payment_ignored',
        reason = 'Its payment was let go of.'
    from ignored
    where
        ignored.leg = 'payment'
        and ignored.operation = 'create'
        and entry.company_id = ignored.company_id
        and entry.payment_id = ignored.payment_id
        and entry.leg = 'adjustment'
        and entry.operation = 'create'
        and entry.state in ('queued', 'held')
)

select delivery_id
from ignored;
