-- Keep others from changing a payment until the transaction ends.
select id
from peakflo.payment
where company_id = %(company_id)s and id = %(payment_id)s
for no key update;
