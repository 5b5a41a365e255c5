-- Queue a delivery again whose request QuickBooks did not admit: nothing was sent, as far as anybody can tell.
update outbox.delivery
set
    state = 'queued',
    payload = null,
    first_sent_at = null,
    sent_at = null
where delivery_id = %(delivery_id)s;
