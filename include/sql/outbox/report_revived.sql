-- Report payments that were cancelled and undone, or undone and sent anew, and that have money again in QuickBooks.
-- All records of a payment count, whichever of them came.
with met as (
    select payment_id
    from outbox.delivery
    where
        realm_id = %(realm_id)s
        and qbo_id = any(%(resolved)b::text[])
        and leg = 'payment'
        and operation = 'create'
    union
    select delivery.payment_id
    from outbox.former_record as former
    inner join outbox.delivery as delivery on former.delivery_id = delivery.delivery_id
    where former.realm_id = %(realm_id)s and former.leg = 'payment' and former.qbo_id = any(%(resolved)b::text[])
),

undone as (
    select
        created.payment_id,
        created.qbo_id,
        undoing.sync_token as undone_sync_token
    from outbox.delivery as created
    inner join outbox.delivery as undoing
        on
            created.company_id = undoing.company_id
            and created.payment_id = undoing.payment_id
            and created.leg = undoing.leg
            and undoing.operation = 'void'
            and (undoing.state = 'delivered' or (undoing.state = 'withdrawn' and undoing.code = 'gone'))
    where
        created.realm_id = %(realm_id)s
        and created.leg = 'payment'
        and created.operation = 'create'
        and created.state = 'delivered'
        and created.payment_id in (select met.payment_id from met)
    union all
    select
        delivery.payment_id,
        former.qbo_id,
        former.undone_sync_token
    from outbox.former_record as former
    inner join outbox.delivery as delivery on former.delivery_id = delivery.delivery_id
    where
        former.realm_id = %(realm_id)s
        and former.leg = 'payment'
        and delivery.payment_id in (select met.payment_id from met)
),

seen as (
    select
        undone.payment_id,
        min(undone.qbo_id) filter (
            where outbox.has_money_again(
                staged.deleted_at, staged.payload, staged.sync_token, undone.undone_sync_token
            )
        ) as revived_id
    from undone
    inner join staging.payment as staged on staged.realm_id = %(realm_id)s and undone.qbo_id = staged.qbo_id
    group by undone.payment_id
),

closed as (
    update sync.problem as problem
    set
        state = 'resolved',
        resolved_at = now()
    from seen
    where
        problem.company_id = %(company_id)s
        and problem.direction = 'outbound'
        and problem.peakflo_id = seen.payment_id
        and problem.code = 'revived_in_quickbooks'
        and seen.revived_id is null
        and problem.state <> 'resolved'
)

insert into sync.problem as kept (
    company_id, realm_id, direction, entity, qbo_id, peakflo_id, code, message, cure, actor
)
select
    %(company_id)s as company_id,
    %(realm_id)s as realm_id,
    'outbound' as direction,
    'payment' as entity,
    '' as qbo_id,
    seen.payment_id as peakflo_id,
    'revived_in_quickbooks' as code,
    format(
        'Payment %%s, which was undone because Peakflo cancelled it or sent it anew, was given money again in '
        'QuickBooks by hand.',
        seen.revived_id
    ) as message,
    'Void or delete it in QuickBooks.' as cure,
    'bookkeeper' as actor
from seen
where seen.revived_id is not null
on conflict (company_id, realm_id, direction, entity, qbo_id, code, peakflo_id) where state <> 'resolved' do update
    set
        message = excluded.message,
        attempts = kept.attempts + 1,
        last_seen_at = now();
