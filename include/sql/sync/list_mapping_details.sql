-- List the currencies, wallets and types of withholding tax that the company's books, payments and mapping know.
select distinct
    kind,
    detail
from (
    select
        'currency' as kind,
        company.home_currency as detail
    from peakflo.company as company
    where company.company_id = %(company_id)s and company.realm_id = %(realm_id)s
    union all
    select
        'currency' as kind,
        account.currency as detail
    from peakflo.account as account
    where
        account.company_id = %(company_id)s
        and account.realm_id = %(realm_id)s
        and account.type in ('Bank', 'Accounts Receivable')
        and account.status = 'active'
    union all
    select
        'currency' as kind,
        customer.currency as detail
    from peakflo.customer as customer
    where customer.company_id = %(company_id)s and customer.realm_id = %(realm_id)s and customer.status = 'active'
    union all
    select
        given.kind,
        given.detail
    from peakflo.payment as payment
    cross join lateral (values ('currency', payment.currency), ('wallet', payment.wallet)) as given (kind, detail)
    where payment.company_id = %(company_id)s and payment.realm_id = %(realm_id)s and payment.origin = 'peakflo'
    union all
    select
        'tax' as kind,
        allocation.withholding_tax_type as detail
    from peakflo.payment as payment
    inner join peakflo.payment_allocation as allocation
        on payment.company_id = allocation.company_id and payment.id = allocation.payment_id
    where payment.company_id = %(company_id)s and payment.realm_id = %(realm_id)s and payment.origin = 'peakflo'
    union all
    select
        case
            when mapped.purpose in ('deposit_currency', 'receivable') then 'currency'
            when mapped.purpose like '%%wallet' then 'wallet'
            else 'tax'
        end as kind,
        mapped.detail
    from sync.account_mapping as mapped
    where mapped.company_id = %(company_id)s and mapped.realm_id = %(realm_id)s
) as known
where coalesce(detail, '') <> ''
order by kind, detail;
