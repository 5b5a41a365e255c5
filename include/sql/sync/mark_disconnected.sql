-- Forget a company's tokens; its records and mappings stay.
update sync.connection
set
    status = 'disconnected',
    access_token = null,
    refresh_token = null,
    access_token_expires_at = null,
    refresh_token_expires_at = null,
    refresh_token_hard_expires_at = null,
    refused_at = null
where company_id = %(company_id)s;
