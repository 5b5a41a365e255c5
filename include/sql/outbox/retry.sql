-- Let a delivery go on that a person has looked after, under a new request id: the old one might be answered with the
-- old answer. One that may have been carried out is looked for first, under its old content; another is made anew, but
-- for a journal entry that goes without its payment.
update outbox.delivery
set
    generation = generation + 1,
    request_id = outbox.request_id(leg, operation, payment_id, generation + 1),
    state = case when code in ('possible_orphan', 'several_found', 'unmarked_found') then 'unknown' else 'queued' end,
    payload = case
        when leg = 'adjustment' or code in ('possible_orphan', 'several_found', 'unmarked_found') then payload
    end,
    first_sent_at = case when code in ('possible_orphan', 'several_found', 'unmarked_found') then clock_timestamp() end,
    sent_at = null,
    code = null,
    reason = null
where
    delivery_id = %(delivery_id)s
    and company_id = %(company_id)s
    and state in ('held', 'rejected', 'possible_orphan', 'ignored')
    -- A journal entry that is in QuickBooks has nothing by which it would be told from a second one.
    and (leg = 'payment' or qbo_id is null)
returning delivery_id;
