-- Queue a delivery again whose request QuickBooks did not admit: nothing was sent, as far as anybody can tell.
update outbox.delivery
set
    state = 'queued',
    -- What it would say stays: a journal entry that is sent once more says it again.
    said = null,
    first_sent_at = null,
    sent_at = null
where delivery_id = %(delivery_id)s;
