-- Read one account of a company, as QuickBooks was last seen to have it.
select
    account.source_id as qbo_id,
    account.full_name as name,
    account.type,
    account.currency,
    account.status
from peakflo.account as account
where
    account.company_id = %(company_id)s
    and account.realm_id = %(realm_id)s
    and account.source_id = %(account_qbo_id)s;
