-- Queue a delivery again whose request QuickBooks did not admit, or of which it was found to have nothing.
update outbox.delivery
set
    state = 'queued',
    code = null,
    reason = null,
    -- What it would say stays: a journal entry that is sent once more says it again.
    said = null,
    first_sent_at = null,
    sent_at = null
where delivery_id = %(delivery_id)s;
