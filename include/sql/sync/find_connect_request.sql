-- Find who went to QuickBooks with a state, and whether the way back is still open.
select
    session_hash,
    requested_by,
    company_id,
    company_name,
    intent,
    expected_realm_id,
    expires_at <= now() as is_expired,
    used_at is not null as is_used,
    connected_at is not null as is_connected
from sync.connect_request
where state_hash = %(state_hash)s;
