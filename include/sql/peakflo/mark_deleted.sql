-- Mark a deleted record that the tables of Peakflo refuse as deleted there, with the amounts of its last version that
-- fitted; one never merged leaves no trace. Returns how many records that is: one, or none that is deleted.
with gone as (
    select
        qbo_id,
        deleted_at,
        qbo_updated_at
    from staging.record
    where
        realm_id = %(realm_id)s
        and entity = %(entity)s
        and qbo_id = %(qbo_id)s
        and deleted_at is not null
),

account as (
    update peakflo.account as kept
    set deleted_at = gone.deleted_at, source_updated_at = gone.qbo_updated_at, status = 'deleted'
    from gone
    where
        %(entity)s = 'account'
        and kept.company_id = %(company_id)s
        and kept.realm_id = %(realm_id)s
        and kept.source_id = gone.qbo_id
),

customer as (
    update peakflo.customer as kept
    set deleted_at = gone.deleted_at, source_updated_at = gone.qbo_updated_at, status = 'deleted'
    from gone
    where
        %(entity)s = 'customer'
        and kept.company_id = %(company_id)s
        and kept.realm_id = %(realm_id)s
        and kept.source_id = gone.qbo_id
),

invoice as (
    update peakflo.invoice as kept
    set deleted_at = gone.deleted_at, source_updated_at = gone.qbo_updated_at, status = 'cancelled'
    from gone
    where
        %(entity)s = 'invoice'
        and kept.company_id = %(company_id)s
        and kept.realm_id = %(realm_id)s
        and kept.source_id = gone.qbo_id
),

credit_note as (
    update peakflo.credit_note as kept
    set deleted_at = gone.deleted_at, source_updated_at = gone.qbo_updated_at, status = 'deleted'
    from gone
    where
        %(entity)s = 'credit_memo'
        and kept.company_id = %(company_id)s
        and kept.realm_id = %(realm_id)s
        and kept.source_id = gone.qbo_id
),

payment as (
    update peakflo.payment as kept
    set deleted_at = gone.deleted_at, source_updated_at = gone.qbo_updated_at, status = 'deleted'
    from gone
    where
        %(entity)s = 'payment'
        and kept.company_id = %(company_id)s
        and kept.realm_id = %(realm_id)s
        and kept.source_id = gone.qbo_id
        and kept.origin = 'quickbooks'
    returning kept.id
),

allocation as (
    delete from peakflo.payment_allocation as kept
    using payment
    where kept.company_id = %(company_id)s and kept.payment_id = payment.id
),

dequeued as (
    delete from staging.unmerged as waiting
    using gone
    where waiting.realm_id = %(realm_id)s and waiting.entity = %(entity)s and waiting.qbo_id = gone.qbo_id
)

select count(*)
from gone;
