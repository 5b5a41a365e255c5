-- List what somebody may be asked to decide in connected companies, of all or of one thing: payments that stand so that
-- only a person can tell what becomes of them, and deletions that are not believed and were met since a person decided
-- about them. The first of each company comes first, so that none of them waits for all of another's.
with question as (
    select
        delivery.company_id,
        'payment' as kind,
        delivery.delivery_id as asked_id,
        delivery.payment_id,
        null as message,
        null::timestamptz as decided_at,
        delivery.since
    from outbox.delivery as delivery
    where delivery.kind in ('waits', 'differs') and delivery.code = any(%(codes)s::text[])
    union all
    select
        problem.company_id,
        'deletions' as kind,
        problem.problem_id as asked_id,
        null as payment_id,
        problem.message,
        problem.decided_at,
        problem.first_seen_at as since
    from sync.problem as problem
    inner join sync.connection as connection
        on problem.company_id = connection.company_id and problem.realm_id = connection.realm_id
    where
        problem.code = %(code)s
        and problem.state = 'open'
        and (problem.decided_at is null or problem.last_seen_at > problem.decided_at)
)

select
    question.company_id,
    question.kind,
    question.asked_id,
    question.payment_id,
    question.message,
    question.decided_at,
    question.since,
    payment.amount,
    payment.currency,
    payment.payment_date,
    customer.company_name as customer
from question
inner join sync.connection as connection on question.company_id = connection.company_id
left join peakflo.payment as payment
    on question.company_id = payment.company_id and question.payment_id = payment.id
left join peakflo.customer as customer
    on payment.company_id = customer.company_id and payment.customer_id = customer.id
where
    connection.status = 'connected'
    and (%(company_id)s::text is null or question.company_id = %(company_id)s)
    and (%(kind)s::text is null or question.kind = %(kind)s)
    and (%(asked_id)s::bigint is null or question.asked_id = %(asked_id)s)
order by
    row_number() over (partition by question.company_id order by question.kind, question.since, question.asked_id),
    question.since,
    question.company_id;
