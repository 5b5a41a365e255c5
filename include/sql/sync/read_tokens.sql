-- Read a company's tokens and whether the access token is good for some minutes more.
select
    realm_id,
    status,
    access_token,
    refresh_token,
    coalesce(access_token_expires_at > now() + %(margin)s, false) as is_fresh,
    coalesce(access_token_expires_at > now() + %(trusted)s, false) as is_usable,
    last_error,
    refused_at + %(pause)s as retry_at,
    -- Not now(): it may have waited for the one who was refused.
    coalesce(refused_at + %(pause)s > clock_timestamp(), false) as is_refused
from sync.connection
where company_id = %(company_id)s;
