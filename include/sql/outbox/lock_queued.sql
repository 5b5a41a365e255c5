-- List queued payments that nobody is at work on, and keep others from them until the transaction ends.
select payment.id
from outbox.queue as queue
inner join peakflo.payment as payment
    on queue.company_id = payment.company_id and queue.payment_id = payment.id
where queue.company_id = %(company_id)s
order by queue.queued_at
limit %(most)s
for no key update of payment skip locked;
