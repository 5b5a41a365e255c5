-- Let a delivery go on that a person has looked after.
select outbox.retry(delivery_id)
from outbox.delivery
where
    delivery_id = %(delivery_id)s
    and company_id = %(company_id)s
    and state in ('held', 'rejected', 'possible_orphan', 'ignored')
    -- A journal entry that is in QuickBooks has nothing by which it would be told from a second one.
    and (leg = 'payment' or qbo_id is null);
