-- Note that a channel took a message, and which of its recipients it did not reach.
with sent as (
    update sync.alert_message
    set
        sent_at = %(moment)s,
        error = null
    where channel_id = %(channel_id)s and batch_id = %(batch_id)s and sent_at is null
)

update sync.alert_channel
set
    last_sent_at = %(moment)s,
    failures = case when %(error)s::text is null then 0 else failures + 1 end,
    failing_since = case when %(error)s::text is not null then coalesce(failing_since, %(moment)s) end,
    last_error = %(error)s
where channel_id = %(channel_id)s;
