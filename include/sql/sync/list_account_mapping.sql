-- List the company's mapped accounts, as QuickBooks was last seen to have them.
select
    mapped.purpose,
    mapped.detail,
    mapped.account_qbo_id as qbo_id,
    account.full_name as name,
    account.type,
    account.currency,
    account.status
from sync.account_mapping as mapped
left join peakflo.account as account
    on
        mapped.company_id = account.company_id
        and mapped.realm_id = account.realm_id
        and mapped.account_qbo_id = account.source_id
where mapped.company_id = %(company_id)s and mapped.realm_id = %(realm_id)s
order by mapped.purpose, mapped.detail;
