-- Read a company's tokens as they are stored, and keep everybody else from replacing them until the transaction ends.
select
    access_token,
    refresh_token
from sync.connection
where company_id = %(company_id)s and refresh_token is not null
for no key update;
