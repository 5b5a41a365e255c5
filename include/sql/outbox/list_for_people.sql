-- List a company's payments for QuickBooks, the newest first; all, or those that stand in some way.
select
    delivery.delivery_id,
    delivery.realm_id,
    delivery.payment_id::text as payment_id,
    delivery.kind,
    delivery.code,
    delivery.sentence,
    delivery.queued_at,
    delivery.since,
    payment.source_id as qbo_id,
    payment.status,
    payment.amount,
    payment.currency,
    payment.payment_date::text as payment_date,
    customer.company_name as customer
from outbox.delivery as delivery
left join peakflo.payment as payment
    on delivery.company_id = payment.company_id and delivery.payment_id = payment.id
left join peakflo.customer as customer
    on payment.company_id = customer.company_id and payment.customer_id = customer.id
where
    delivery.company_id = %(company_id)s
    and (%(kinds)s::text[] is null or delivery.kind = any(%(kinds)s::text[]))
    and (%(before)s::bigint is null or delivery.delivery_id < %(before)s)
order by delivery.delivery_id desc
limit %(most)s;
