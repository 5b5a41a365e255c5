-- Let go of a delivery that a person has settled otherwise, or of what QuickBooks no longer has.
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
returning delivery_id;
