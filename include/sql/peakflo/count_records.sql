-- Count a company's records by entity, with the sums that prove them: what was billed and what is still open.
select
    entity,
    count(*) filter (where not is_deleted) as live,
    count(*) filter (where is_deleted) as deleted,
    sum(total) filter (where not is_deleted) as total,
    sum(open) filter (where not is_deleted) as open
from (
    select
        'account' as entity,
        deleted_at is not null as is_deleted,
        null::numeric as total,
        balance as open
    from peakflo.account
    where company_id = %(company_id)s and realm_id = %(realm_id)s
    union all
    select
        'customer' as entity,
        deleted_at is not null as is_deleted,
        null::numeric as total,
        balance as open
    from peakflo.customer
    where company_id = %(company_id)s and realm_id = %(realm_id)s
    union all
    select
        'invoice' as entity,
        deleted_at is not null as is_deleted,
        total_amount as total,
        amount_due as open
    from peakflo.invoice
    where company_id = %(company_id)s and realm_id = %(realm_id)s
    union all
    select
        'credit_note' as entity,
        deleted_at is not null as is_deleted,
        total_amount as total,
        remaining_credit as open
    from peakflo.credit_note
    where company_id = %(company_id)s and realm_id = %(realm_id)s
    union all
    select
        'payment' as entity,
        deleted_at is not null as is_deleted,
        amount as total,
        unapplied_amount as open
    from peakflo.payment
    where company_id = %(company_id)s and realm_id = %(realm_id)s
    union all
    select
        'tax_code' as entity,
        deleted_at is not null as is_deleted,
        null::numeric as total,
        null::numeric as open
    from peakflo.tax_code
    where company_id = %(company_id)s and realm_id = %(realm_id)s
    union all
    select
        'tax_rate' as entity,
        deleted_at is not null as is_deleted,
        null::numeric as total,
        null::numeric as open
    from peakflo.tax_rate
    where company_id = %(company_id)s and realm_id = %(realm_id)s
) as record
group by entity
order by entity;
