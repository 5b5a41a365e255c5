-- Look no more at a payment that Peakflo no longer has, and tell nobody of it any more.
with dequeued as (
    delete from outbox.queue
    where company_id = %(company_id)s and payment_id = %(payment_id)s
),

closed as (
    update sync.problem
    set
        state = 'resolved',
        resolved_at = now()
    where
        company_id = %(company_id)s
        and direction = 'outbound'
        and peakflo_id = %(payment_id)s
        and state <> 'resolved'
)

update outbox.delivery
set
    kind = 'agrees',
    code = 'payment_unknown',
    sentence = 'Peakflo no longer has the payment.',
    since = clock_timestamp()
where company_id = %(company_id)s and payment_id = %(payment_id)s and code is distinct from 'payment_unknown';
