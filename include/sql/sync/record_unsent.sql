-- Note that a channel did not take a message; what certainly did not arrive may become part of another one.
with failed as (
    update sync.alert_message
    set
        error = %(error)s,
        claimed_at = case when %(is_uncertain)s then claimed_at end,
        batch_id = case when %(is_uncertain)s then batch_id end
    where channel_id = %(channel_id)s and batch_id = %(batch_id)s and sent_at is null
)

update sync.alert_channel
set
    failures = failures + 1,
    failing_since = coalesce(failing_since, %(moment)s),
    last_error = %(error)s
where channel_id = %(channel_id)s;
