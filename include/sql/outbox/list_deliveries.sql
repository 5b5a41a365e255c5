-- List a company's deliveries that are in some states, the oldest first. What was sent is asked for only in the books
-- to which it was sent; a journal entry is sent with its payment.
select delivery_id
from outbox.delivery
where
    company_id = %(company_id)s
    and (realm_id = %(realm_id)s or state in ('queued', 'held'))
    and state = any(%(states)s::text[])
    and (leg = 'payment' or operation = 'void' or state in ('sending', 'unknown'))
order by delivery_id;
