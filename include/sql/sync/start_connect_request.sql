-- Remember who goes to QuickBooks for which company, for some minutes.
insert into sync.connect_request (
    state_hash, session_hash, requested_by, company_id, company_name, intent, expected_realm_id, expires_at
)
values (
    %(state_hash)s,
    %(session_hash)s,
    %(requested_by)s,
    %(company_id)s,
    %(company_name)s,
    %(intent)s,
    %(expected_realm_id)s,
    now() + %(life)s
);
