-- Read what QuickBooks says of customers.
with company as (
    select
        home_currency,
        %(changes_since)s::timestamptz as changes_since,
        %(changes_read_at)s::timestamptz as changes_read_at,
        %(told_customers)b::bytea[] as told_customers
    from peakflo.company
    where company_id = %(company_id)s
)

select
    known.id,
    known.source_id,
    known.status,
    coalesce(known.currency, company.home_currency) as currency,
    known.balance,
    known.balance_with_children,
    -- Not what the answer told that told of all changes, and not from before them either: documents may have changed
    -- with it since. The time of an answer proves nothing, it is when QuickBooks began it.
    coalesce(
        staged.content_hash <> all(company.told_customers)
        and (
            staged.qbo_updated_at >= company.changes_since
            or staged.read_at > company.changes_read_at
            or staged.run_id = %(run_id)s
        ),
        true
    ) as is_later
from unnest(%(customer_ids)b::uuid[]) as given (id)
cross join company
inner join peakflo.customer as known on known.company_id = %(company_id)s and given.id = known.id
left join staging.customer as staged on staged.realm_id = %(realm_id)s and known.source_id = staged.qbo_id;
