-- List the deliveries of a payment that have not reached QuickBooks, those that wait for a person first.
select
    delivery_id,
    state
from outbox.delivery
where
    company_id = %(company_id)s
    and payment_id = %(payment_id)s
    and state in ('held', 'rejected', 'possible_orphan')
order by state = 'held', delivery_id;
