-- Close what kept a payment from QuickBooks; without codes, all of it but some.
update sync.problem
set
    state = %(state)s,
    resolved_at = now()
where
    company_id = %(company_id)s
    and direction = 'outbound'
    and peakflo_id = %(payment_id)s
    and (%(codes)s::text[] is null or code = any(%(codes)s::text[]))
    and code <> all(%(but)s::text[])
    and state = 'open';
