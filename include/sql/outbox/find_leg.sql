-- Find the delivery of one leg and operation of a payment.
select delivery_id
from outbox.delivery
where
    company_id = %(company_id)s
    and payment_id = %(payment_id)s
    and leg = %(leg)s
    and operation = %(operation)s;
