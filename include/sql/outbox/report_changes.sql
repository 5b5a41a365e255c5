-- Recognise the echoes of Peakflo's own payments. The version that was delivered says nothing new; of a newer one that
-- holds the same, the version is noted; one that was edited, voided or deleted in QuickBooks is reported, and Peakflo's
-- money stays as it is. What was put right again is closed.
with compared as materialized (
    select
        delivery.delivery_id,
        delivery.payment_id,
        staged.qbo_id,
        staged.sync_token,
        case
            when staged.deleted_at is not null then 'deleted_in_quickbooks'
            when staging.is_voided(staged.payload) then 'voided_in_quickbooks'
            when
                not outbox.is_same_payment(staged.realm_id, staged.payload, delivery.response)
                and not outbox.is_same_payment(staged.realm_id, staged.payload, delivery.payload)
                then 'edited_in_quickbooks'
        end as code,
        -- Whether both sides say the same by now, whichever was changed.
        outbox.agrees(delivery) as is_agreed,
        staged.deleted_at is null
        and outbox.is_same_payment(staged.realm_id, staged.payload, delivery.payload) as is_as_sent
    from staging.payment as staged
    inner join outbox.delivery as delivery
        on
            staged.realm_id = delivery.realm_id
            and staged.qbo_id = delivery.qbo_id
            and delivery.leg = 'payment'
            and delivery.operation = 'create'
            and delivery.state = 'delivered'
    where
        staged.realm_id = %(realm_id)s
        and staged.qbo_id = any(%(resolved)b::text[])
        -- An undoing of Peakflo's own comes back, too.
        and not exists (
            select 1
            from outbox.delivery as undoing
            where
                undoing.company_id = delivery.company_id
                and undoing.payment_id = delivery.payment_id
                and undoing.leg = 'payment'
                and undoing.operation = 'void'
                and (
                    undoing.state in ('sending', 'unknown', 'delivered')
                    or (undoing.state = 'withdrawn' and undoing.code = 'gone')
                )
        )
),

echo as (
    select
        delivery_id,
        payment_id,
        qbo_id,
        sync_token,
        is_agreed,
        is_as_sent,
        case when not is_agreed then code end as code
    from compared
),

noted as (
    update outbox.delivery as delivery
    set sync_token = echo.sync_token
    from echo
    where
        delivery.delivery_id = echo.delivery_id
        and echo.code is null
        and echo.sync_token > delivery.sync_token
),

closed as (
    update sync.problem as problem
    set
        state = 'resolved',
        resolved_at = now()
    from echo
    where
        problem.company_id = %(company_id)s
        and problem.direction = 'outbound'
        and problem.peakflo_id = echo.payment_id
        and (
            (
                problem.code in ('deleted_in_quickbooks', 'voided_in_quickbooks', 'edited_in_quickbooks')
                and problem.code is distinct from echo.code
            )
            or (problem.code = 'edited_after_sending' and echo.is_agreed)
            or (problem.code = 'answer_differs' and (echo.is_agreed or echo.is_as_sent))
        )
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
    echo.payment_id as peakflo_id,
    echo.code,
    format(
        'Payment %%s, which Peakflo created, was %%s in QuickBooks by hand; the payment in Peakflo is as it was.',
        echo.qbo_id, split_part(echo.code, '_', 1)
    ) as message,
    case echo.code
        when 'edited_in_quickbooks' then 'Change it back in QuickBooks, or correct the payment in Peakflo to match.'
        else
            'If the money did arrive, retry its delivery, which enters it in QuickBooks again; if not, cancel the '
            'payment in Peakflo; or ignore the delivery.'
    end as cure,
    'bookkeeper' as actor
from echo
where echo.code is not null
on conflict (company_id, realm_id, direction, entity, qbo_id, code, peakflo_id) where state <> 'resolved' do update
    set
        message = excluded.message,
        attempts = kept.attempts + 1,
        last_seen_at = now();
