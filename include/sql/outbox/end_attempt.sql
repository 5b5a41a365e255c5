-- Close an attempt with what came of it.
update outbox.attempt
set
    ended_at = clock_timestamp(),
    outcome = %(outcome)s,
    intuit_tid = %(intuit_tid)s,
    error = %(error)s
where attempt_id = %(attempt_id)s;
