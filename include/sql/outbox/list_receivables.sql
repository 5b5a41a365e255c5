-- List the active receivable accounts of a currency.
select account.source_id
from peakflo.account as account
where
    account.company_id = %(company_id)s
    and account.realm_id = %(realm_id)s
    and account.type = 'Accounts Receivable'
    and account.status = 'active'
    and coalesce(account.currency, %(currency)s) = %(currency)s
order by account.source_id;
