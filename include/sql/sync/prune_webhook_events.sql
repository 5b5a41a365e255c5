-- Forget events that no delivery repeats any more and that change data capture does not reach back to.
delete from sync.webhook_event
where received_at < now() - %(kept_for)s::interval;
