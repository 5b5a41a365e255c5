-- Move a record on, with what the move brings.
select outbox.move(%(record_id)s, %(state)s, %(run_id)s, %(why)s, %(facts)s::jsonb, %(intuit_tid)s);
