-- Queue a payment to be looked at.
select outbox.enqueue(%(company_id)s, array[%(payment_id)s]::uuid[]);
