-- Read a company's tokens and whether the access token is good for some minutes more.
select
    realm_id,
    status,
    access_token,
    refresh_token,
    coalesce(access_token_expires_at > now() + %(margin)s, false) as is_fresh,
    last_error
from sync.connection
where company_id = %(company_id)s;
