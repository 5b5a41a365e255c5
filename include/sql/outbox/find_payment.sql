-- Find the payment that people know by a number.
select payment_id
from outbox.delivery
where company_id = %(company_id)s and delivery_id = %(delivery_id)s;
