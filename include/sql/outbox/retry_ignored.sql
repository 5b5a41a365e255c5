-- Take back that a delivery was let go of which had reached QuickBooks: it counts as delivered again, its problems are
-- open again, and what QuickBooks has of it is compared anew.
with kept as (
    update outbox.delivery
    set
        state = 'delivered',
        code = null,
        reason = null
    where
        delivery_id = %(delivery_id)s
        and company_id = %(company_id)s
        and operation = 'create'
        and state = 'ignored'
        and qbo_id is not null
        and payload is not null
    returning delivery_id, company_id, realm_id, payment_id, leg, qbo_id
),

reopened as (
    update sync.problem as problem
    set state = 'open'
    from kept
    where
        problem.company_id = kept.company_id
        and problem.realm_id = kept.realm_id
        and problem.direction = 'outbound'
        and problem.peakflo_id = kept.payment_id
        and problem.state = 'ignored'
),

-- The journal entry that waited for its payment.
resumed as (
    update outbox.delivery as entry
    set
        state = 'queued',
        code = null,
        reason = null
    from kept
    where
        kept.leg = 'payment'
        and entry.company_id = kept.company_id
        and entry.payment_id = kept.payment_id
        and entry.leg = 'adjustment'
        and entry.operation = 'create'
        and entry.state = 'withdrawn'
        and entry.code = 'payment_ignored'
        and entry.payload is not null
),

compared as (
    insert into staging.unmerged (realm_id, entity, qbo_id)
    select
        realm_id,
        case leg when 'payment' then 'payment' else 'journal_entry' end as entity,
        qbo_id
    from kept
    on conflict do nothing
)

select delivery_id
from kept;
