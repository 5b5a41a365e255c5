-- List the payments that Peakflo took and that are not in QuickBooks as Peakflo says, or are looked at again, with what
-- each comes to in the home currency.
select
    delivery.kind,
    delivery.code,
    delivery.sentence,
    delivery.delivery_id,
    queue.payment_id is not null as is_queued,
    now() - delivery.since as age,
    payment.source_id as qbo_id,
    payment.reference as name,
    customer.source_id as customer_id,
    customer.company_name as customer_name,
    payment.currency,
    round(payment.amount * coalesce(payment.exchange_rate, 1), 2) as amount,
    problem.message,
    problem.cure,
    problem.actor
from outbox.delivery as delivery
inner join peakflo.payment as payment
    on delivery.company_id = payment.company_id and delivery.payment_id = payment.id
left join peakflo.customer as customer
    on payment.company_id = customer.company_id and payment.customer_id = customer.id
left join outbox.queue as queue
    on delivery.company_id = queue.company_id and delivery.payment_id = queue.payment_id
left join lateral (
    select
        outbound.message,
        outbound.cure,
        outbound.actor
    from sync.problem as outbound
    where
        outbound.company_id = delivery.company_id
        and outbound.realm_id = delivery.realm_id
        and outbound.direction = 'outbound'
        and outbound.peakflo_id = delivery.payment_id
        and outbound.state = 'open'
    order by outbound.problem_id
    limit 1
) as problem on true
where
    delivery.company_id = %(company_id)s
    and delivery.realm_id = %(realm_id)s
    and (delivery.kind in ('waits', 'differs') or queue.payment_id is not null)
order by delivery.delivery_id;
