-- Keep a pair of tokens, encrypted, with their expiries by this server's clock.
update sync.connection
set
    access_token = %(access_token)s,
    refresh_token = %(refresh_token)s,
    access_token_expires_at = now() + %(expires_in)s,
    refresh_token_expires_at = now() + %(refresh_expires_in)s,
    refresh_token_hard_expires_at = coalesce(
        now() + %(refresh_hard_expires_in)s, refresh_token_hard_expires_at
    ),
    refreshed_at = now(),
    refused_at = null,
    last_error = null,
    last_error_at = null
where company_id = %(company_id)s and realm_id = %(realm_id)s;
