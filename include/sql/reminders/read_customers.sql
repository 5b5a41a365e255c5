-- Read what QuickBooks says of customers.
select
    known.id,
    known.source_id,
    known.status,
    coalesce(known.currency, company.home_currency) as currency,
    known.balance,
    known.balance_with_children
from unnest(%(customer_ids)b::uuid[]) as given (id)
inner join peakflo.company as company on company.company_id = %(company_id)s
inner join peakflo.customer as known on known.company_id = %(company_id)s and given.id = known.id;
