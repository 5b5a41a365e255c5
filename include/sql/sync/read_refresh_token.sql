-- Read the refresh token that a disconnect takes back.
select refresh_token
from sync.connection
where company_id = %(company_id)s;
