-- Read what a company is connected to, and keep everybody else from changing it until the transaction ends.
select
    realm_id,
    status,
    refresh_token
from sync.connection
where company_id = %(company_id)s
for no key update;
