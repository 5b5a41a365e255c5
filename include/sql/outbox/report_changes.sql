-- Recognise the echoes of Peakflo's own payments. The version that was delivered says nothing new; of a newer one that
-- holds the same, the version is noted; one that was edited, voided or deleted in QuickBooks is reported, and Peakflo's
-- money stays as it is. What was put right again is closed.
with echo as materialized (
    select
        delivery.delivery_id,
        delivery.payment_id,
        staged.qbo_id,
        staged.sync_token,
        case
            when staged.deleted_at is not null then 'deleted_in_quickbooks'
            when
                (staged.payload ->> 'TotalAmt')::numeric = 0
                and coalesce(jsonb_array_length(staged.payload -> 'Line'), 0) = 0
                and staged.payload ->> 'PrivateNote' like 'Voided%%'
                then 'voided_in_quickbooks'
            when
                (staged.payload ->> 'TotalAmt')::numeric <> (delivery.response ->> 'TotalAmt')::numeric
                or staged.payload #>> '{CustomerRef,value}' <> delivery.response #>> '{CustomerRef,value}'
                or staged.payload ->> 'TxnDate' <> delivery.response ->> 'TxnDate'
                or staged.payload #>> '{DepositToAccountRef,value}'
                <> delivery.response #>> '{DepositToAccountRef,value}'
                or outbox.applied(staged.payload -> 'Line') <> outbox.applied(delivery.response -> 'Line')
                then 'edited_in_quickbooks'
        end as code
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
                and undoing.state in ('sending', 'unknown', 'delivered')
        )
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
        and problem.code in ('deleted_in_quickbooks', 'voided_in_quickbooks', 'edited_in_quickbooks')
        and problem.code is distinct from echo.code
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
        else 'If the money did arrive, enter it in QuickBooks again; if not, cancel the payment in Peakflo.'
    end as cure,
    'bookkeeper' as actor
from echo
where echo.code is not null
on conflict (company_id, direction, entity, qbo_id, code, peakflo_id) where state <> 'resolved' do update
    set
        message = excluded.message,
        attempts = kept.attempts + 1,
        last_seen_at = now();
