-- List a company's deliveries that are in some states, the oldest first. What was sent is asked for only in the books
-- to which it was sent. A journal entry is sent with its payment, and alone only if that is there already.
select delivery.delivery_id
from outbox.delivery as delivery
where
    delivery.company_id = %(company_id)s
    and (delivery.realm_id = %(realm_id)s or delivery.state in ('queued', 'held'))
    and delivery.state = any(%(states)s::text[])
    and (
        delivery.leg = 'payment'
        or delivery.operation = 'void'
        or delivery.state in ('sending', 'unknown')
        or exists (
            select 1
            from outbox.delivery as whole
            where
                whole.company_id = delivery.company_id
                and whole.payment_id = delivery.payment_id
                and whole.leg = 'payment'
                and whole.operation = 'create'
                and whole.state = 'delivered'
        )
    )
order by delivery.delivery_id;
