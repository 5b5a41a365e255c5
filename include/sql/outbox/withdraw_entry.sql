-- Let a journal entry that waits by itself go with its payment, which is sent anew.
update outbox.delivery as entry
set state = 'withdrawn'
from outbox.delivery as whole
where
    whole.delivery_id = %(delivery_id)s
    and whole.leg = 'payment'
    and whole.operation = 'create'
    and entry.company_id = whole.company_id
    and entry.payment_id = whole.payment_id
    and entry.leg = 'adjustment'
    and entry.operation = 'create'
    and entry.state in ('queued', 'held');
