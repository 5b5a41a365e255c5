-- Lock the payment of a delivery before the delivery, in the order in which whoever changes a payment does.
select 1
from peakflo.payment as payment
inner join outbox.delivery as delivery
    on payment.company_id = delivery.company_id and payment.id = delivery.payment_id
where delivery.delivery_id = %(delivery_id)s
for no key update of payment;
