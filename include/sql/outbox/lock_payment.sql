-- Lock the payment of a delivery before the delivery, in the order in which whoever changes a payment does.
select 1
from peakflo.payment
where company_id = %(company_id)s and id = %(payment_id)s
for no key update;
