-- Count the payments that wait or differ, with their amounts, per company, reason and currency; and those of them that
-- have for longer than the next rounds take. One that is queued again keeps its reason until it is looked at, unless
-- that is over already.
with company as (
    select
        connection.company_id,
        connection.status = 'connected' as is_connected,
        greatest(connection.connected_at, connection.status_since) as active_since,
        coalesce(setting.auto_sync, true) as is_auto_sync
    from sync.connection as connection
    left join sync.company_setting as setting on connection.company_id = setting.company_id
    where %(company_ids)s::text[] is null or connection.company_id = any(%(company_ids)s::text[])
),

standing as (
    select
        delivery.company_id,
        delivery.realm_id,
        delivery.payment_id,
        delivery.kind,
        delivery.code,
        delivery.since,
        queue.queued_at
    from outbox.delivery as delivery
    left join outbox.queue as queue
        on delivery.company_id = queue.company_id and delivery.payment_id = queue.payment_id
    where delivery.kind in ('waits', 'differs')
    union all
    select
        delivery.company_id,
        delivery.realm_id,
        delivery.payment_id,
        delivery.kind,
        delivery.code,
        delivery.since,
        queue.queued_at
    from outbox.queue as queue
    inner join outbox.delivery as delivery
        on queue.company_id = delivery.company_id and queue.payment_id = delivery.payment_id
    where delivery.kind in ('agrees', 'ignored')
),

judged as (
    select
        standing.*,
        company.is_connected,
        (
            standing.kind in ('agrees', 'ignored')
            or standing.code = 'queued'
            or (standing.code = 'auto_sync_off' and company.is_auto_sync)
            or (standing.code = 'not_connected' and company.is_connected)
            or (
                company.is_connected
                and company.active_since < now() - %(late)s
                and coalesce(standing.queued_at < now() - %(late)s, false)
            )
        ) as is_due,
        company.active_since
    from standing
    inner join company on standing.company_id = company.company_id
),

reason as (
    select
        judged.company_id,
        judged.realm_id,
        judged.payment_id,
        judged.active_since,
        judged.is_connected,
        judged.queued_at,
        case when judged.is_due then 'waits' else judged.kind end as kind,
        case when judged.is_due then 'queued' else judged.code end as code,
        case when judged.is_due then coalesce(judged.queued_at, judged.since) else judged.since end as since
    from judged
)

select
    reason.company_id,
    reason.kind,
    reason.code,
    coalesce(payment.currency, '') as currency,
    count(*) as payments,
    coalesce(sum(payment.amount), 0) as amount,
    count(*) filter (where greatest(reason.since, reason.active_since) < now() - %(late)s) as late_payments,
    coalesce(
        sum(payment.amount) filter (where greatest(reason.since, reason.active_since) < now() - %(late)s), 0
    ) as late_amount,
    count(*) filter (where reason.queued_at is not null and reason.is_connected) as queued_payments,
    min(reason.since) as since,
    min(problem.actor) as owner,
    min(problem.message) as message,
    min(problem.cure) as remedy,
    count(distinct problem.cure) as remedies
from reason
left join peakflo.payment as payment
    on reason.company_id = payment.company_id and reason.payment_id = payment.id
left join sync.problem as problem
    on
        reason.kind = 'differs'
        and reason.company_id = problem.company_id
        and reason.realm_id = problem.realm_id
        and problem.direction = 'outbound'
        and problem.entity = 'payment'
        and problem.qbo_id = ''
        and reason.code = problem.code
        and reason.payment_id = problem.peakflo_id
        and problem.state = 'open'
group by reason.company_id, reason.kind, reason.code, coalesce(payment.currency, '')
order by reason.company_id, reason.kind, reason.code, coalesce(payment.currency, '');
