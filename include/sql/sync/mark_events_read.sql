-- Mark as read what a run has read that asked for all changes: each event that had come before it began.
update sync.webhook_event as event
set read_at = now()
from sync.run as run
where
    run.run_id = %(run_id)s
    and event.realm_id = run.realm_id
    and event.read_at is null
    and event.received_at <= run.started_at;
