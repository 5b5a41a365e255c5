-- List a company's accounts, as QuickBooks was last seen to have them.
select
    account.source_id as qbo_id,
    account.full_name as name,
    account.type,
    account.currency,
    account.status,
    account.code
from peakflo.account as account
where account.company_id = %(company_id)s and account.realm_id = %(realm_id)s and account.source_id is not null
order by lower(account.full_name), account.source_id;
