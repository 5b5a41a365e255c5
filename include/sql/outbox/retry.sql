-- Let a delivery go on that a person has looked after, under a new request id: the old one might be answered with the
-- old answer. One that may have been carried out is looked for first, under its old content; another is made anew.
update outbox.delivery
set
    generation = generation + 1,
    request_id = outbox.request_id(leg, operation, payment_id, generation + 1),
    state = case when code in ('possible_orphan', 'several_found') then 'unknown' else 'queued' end,
    payload = case when code in ('possible_orphan', 'several_found') then payload end,
    first_sent_at = case when code in ('possible_orphan', 'several_found') then clock_timestamp() end,
    sent_at = null,
    code = null,
    reason = null
where
    delivery_id = %(delivery_id)s
    and company_id = %(company_id)s
    and state in ('held', 'rejected', 'possible_orphan', 'ignored')
returning delivery_id;
