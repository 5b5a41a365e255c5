-- Commit to a request before it leaves, with exactly what it will say, and open its attempt.
with intended as (
    update outbox.delivery
    set
        state = 'sending',
        code = null,
        reason = null,
        payload = %(payload)s::jsonb,
        -- A repeated request says what the first one did, whatever became of the payment since.
        said = case
            when payload = %(payload)s::jsonb and said is not null then said
            else outbox.said(company_id, payment_id)
        end,
        attempts = attempts + 1,
        first_sent_at = coalesce(first_sent_at, clock_timestamp()),
        sent_at = clock_timestamp()
    where delivery_id = %(delivery_id)s
    returning delivery_id, request_id
)

insert into outbox.attempt (delivery_id, run_id, request_id, action)
select
    delivery_id,
    %(run_id)s as run_id,
    request_id,
    'send' as action
from intended
returning attempt_id;
