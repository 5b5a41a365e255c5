-- Drop what has become pointless before anything of it was sent.
update sync.alert_message as message
set dropped_at = %(moment)s
from sync.alert as alert
where
    message.alert_id = alert.alert_id
    and alert.closed_at is not null
    and message.kind in ('opened', 'worsened')
    and message.sent_at is null
    and message.dropped_at is null
    and message.claimed_at is null;
