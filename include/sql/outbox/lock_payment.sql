-- Keep others from changing a payment until the transaction ends.
select outbox.lock_payment(%(company_id)s, %(payment_id)s);
