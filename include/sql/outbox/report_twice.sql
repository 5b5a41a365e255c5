-- Report payments of which QuickBooks has more than Peakflo sent: another record bears the mark of the same payment.
-- Which one is the payment is known by its delivery. What is settled by now is closed.
with concerned as (
    select payment_id
    from outbox.marked_record
    where realm_id = %(realm_id)s and qbo_id = any(%(qbo_ids)b::text[])
    union
    select payment_id
    from outbox.delivery
    where realm_id = %(realm_id)s and qbo_id = any(%(qbo_ids)b::text[])
    union
    select peakflo_id
    from sync.problem
    where
        company_id = %(company_id)s
        and realm_id = %(realm_id)s
        and direction = 'outbound'
        and code = 'twice_in_quickbooks'
        and state <> 'resolved'
),

extra as (
    select
        delivery.payment_id,
        case delivery.leg when 'payment' then 'Payment' else 'JournalEntry' end as entity,
        delivery.qbo_id as own_qbo_id,
        string_agg(marked.qbo_id, ' and ' order by length(marked.qbo_id), marked.qbo_id) as extra_qbo_ids
    from concerned
    inner join outbox.delivery as delivery
        on delivery.realm_id = %(realm_id)s and concerned.payment_id = delivery.payment_id
    inner join outbox.marked_record as marked
        on
            delivery.realm_id = marked.realm_id
            and delivery.payment_id = marked.payment_id
            and delivery.leg = marked.leg
    where
        delivery.operation = 'create'
        and delivery.state = 'delivered'
        and marked.is_alive
        and marked.qbo_id <> delivery.qbo_id
    group by delivery.payment_id, delivery.leg, delivery.qbo_id
),

twice as (
    select
        payment_id,
        string_agg(
            format('%%s %%s beside %%s', entity, extra_qbo_ids, own_qbo_id), ', and '
            order by entity desc
        ) as pairs,
        string_agg(format('%%s %%s', entity, extra_qbo_ids), ' and ' order by entity desc) as extras
    from extra
    group by payment_id
),

closed as (
    update sync.problem as problem
    set
        state = 'resolved',
        resolved_at = now()
    from concerned
    where
        problem.company_id = %(company_id)s
        and problem.realm_id = %(realm_id)s
        and problem.direction = 'outbound'
        and problem.code = 'twice_in_quickbooks'
        and problem.peakflo_id = concerned.payment_id
        and problem.state <> 'resolved'
        and concerned.payment_id not in (select twice.payment_id from twice)
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
    payment_id as peakflo_id,
    'twice_in_quickbooks' as code,
    format('Peakflo''s payment is in QuickBooks twice: it has %%s.', pairs) as message,
    format(
        'Delete %%s in QuickBooks; or, if it is another one, take "Peakflo payment" and what follows out of its note.',
        extras
    ) as cure,
    'bookkeeper' as actor
from twice
on conflict (company_id, realm_id, direction, entity, qbo_id, code, peakflo_id) where state <> 'resolved' do update
    set
        message = excluded.message,
        cure = excluded.cure,
        attempts = kept.attempts + 1,
        last_seen_at = now();
