-- Recognise journal entries that Peakflo wrote. One that posts something else than was delivered, or nothing any more,
-- was touched in QuickBooks and is reported; what was put right again is closed. One that was given up and is met after
-- all is looked into again. Those of others say nothing to Peakflo.
with echo as materialized (
    select
        delivery.payment_id,
        staged.qbo_id,
        coalesce(
            (
                select whole.payload -> 'Line' @> '[{"LinkedTxn": [{"TxnType": "JournalEntry"}]}]'
                from outbox.delivery as whole
                where
                    whole.company_id = delivery.company_id
                    and whole.payment_id = delivery.payment_id
                    and whole.leg = 'payment'
                    and whole.operation = 'create'
            ),
            false
        ) as is_linked,
        case
            when staged.deleted_at is not null then 'entry_deleted_in_quickbooks'
            when staging.is_voided(staged.payload) then 'entry_voided_in_quickbooks'
            when
                not outbox.is_same_entry(staged.realm_id, staged.payload, delivery.response)
                and not outbox.is_same_entry(staged.realm_id, staged.payload, delivery.payload)
                then 'entry_edited_in_quickbooks'
        end as code,
        staged.deleted_at is null
        and outbox.is_same_entry(staged.realm_id, staged.payload, delivery.payload) as is_as_sent
    from staging.journal_entry as staged
    inner join outbox.delivery as delivery
        on
            staged.realm_id = delivery.realm_id
            and staged.qbo_id = delivery.qbo_id
            and delivery.leg = 'adjustment'
            and delivery.operation = 'create'
            and delivery.state = 'delivered'
    where
        staged.realm_id = %(realm_id)s
        and staged.qbo_id = any(%(qbo_ids)b::text[])
        -- An undoing of Peakflo's own comes back, too.
        and not exists (
            select 1
            from outbox.delivery as undoing
            where
                undoing.company_id = delivery.company_id
                and undoing.payment_id = delivery.payment_id
                and undoing.leg = 'adjustment'
                and undoing.operation = 'void'
                and (
                    undoing.state in ('sending', 'unknown', 'delivered')
                    or (undoing.state = 'withdrawn' and undoing.code = 'gone')
                )
        )
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
                problem.code in (
                    'entry_deleted_in_quickbooks', 'entry_voided_in_quickbooks', 'entry_edited_in_quickbooks'
                )
                and problem.code is distinct from echo.code
            )
            or (problem.code = 'entry_answer_differs' and echo.is_as_sent)
        )
        and problem.state <> 'resolved'
),

met as (
    update outbox.delivery as delivery
    set
        state = 'unknown',
        code = 'recognised',
        reason = 'The sync met it in QuickBooks.'
    from outbox.marked_record as marked
    where
        marked.realm_id = %(realm_id)s
        and marked.qbo_id = any(%(qbo_ids)b::text[])
        and marked.is_alive
        and delivery.realm_id = marked.realm_id
        and delivery.payment_id = marked.payment_id
        and delivery.leg = 'adjustment'
        and marked.leg = delivery.leg
        and delivery.operation = 'create'
        and delivery.attempts > 0
        -- Which of several it is, a person said or has to say.
        and delivery.state in ('rejected', 'possible_orphan', 'ignored', 'withdrawn')
        and delivery.qbo_id is null
        and delivery.code is distinct from 'several_found'
),

reported as (
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
            'Journal entry %%s, in which Peakflo entered the fee, taxes or rounding of a payment, was %%s in '
            'QuickBooks by hand; the payment in Peakflo is as it was.',
            echo.qbo_id, split_part(echo.code, '_', 2)
        ) as message,
        case
            when echo.code = 'entry_edited_in_quickbooks'
                then 'Change it back in QuickBooks, or ignore this if it is right as it is there.'
            when echo.is_linked
                then
                    'Enter it again in QuickBooks and link the payment to it; or delete the payment there as well and '
                    'retry its delivery.'
            else 'Retry the delivery of its adjustment to have it entered again, or ignore that delivery.'
        end as cure,
        'bookkeeper' as actor
    from echo
    where echo.code is not null
    on conflict (company_id, realm_id, direction, entity, qbo_id, code, peakflo_id) where state <> 'resolved' do update
        set
            message = excluded.message,
            cure = excluded.cure,
            attempts = kept.attempts + 1,
            last_seen_at = now()
)

select
    %(qbo_ids)b::text[] as resolved,
    0 as merged,
    0 as deleted;
