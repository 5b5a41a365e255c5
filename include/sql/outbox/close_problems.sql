-- Close what kept a delivery from QuickBooks; without codes, all of its payment's problems but some, and but those for
-- which another delivery of the payment is set aside.
update sync.problem as problem
set
    state = %(state)s,
    resolved_at = now()
where
    company_id = %(company_id)s
    and direction = 'outbound'
    and peakflo_id = %(payment_id)s
    and (%(codes)s::text[] is null or code = any(%(codes)s::text[]))
    and code <> all(%(but)s::text[])
    and state = 'open'
    and not exists (
        select 1
        from outbox.delivery as other
        where
            other.company_id = %(company_id)s
            and other.payment_id = %(payment_id)s
            and other.delivery_id <> %(delivery_id)s
            and other.state in ('rejected', 'possible_orphan')
            and other.code = problem.code
    );
