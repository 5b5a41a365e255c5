-- Read a payment of Peakflo's with what decides whether it may go to QuickBooks.
select
    payment.id as payment_id,
    payment.realm_id,
    payment.status,
    payment.settled_at,
    payment.payment_date,
    payment.amount,
    payment.processing_fee,
    coalesce(payment.currency, '') as currency,
    payment.exchange_rate,
    payment.reference,
    payment.note,
    payment.wallet,
    customer.company_name as customer_name,
    customer.source_id as customer_qbo_id,
    customer.realm_id as customer_realm_id,
    customer.status as customer_status,
    customer.currency as customer_currency,
    -- What a customer had that was merged is another one's.
    exists (
        select
        from peakflo.invoice as invoice
        where
            invoice.company_id = payment.company_id
            and invoice.customer_id = customer.id
            and invoice.deleted_at is null
    )
    or exists (
        select
        from peakflo.payment as other
        where
            other.company_id = payment.company_id
            and other.customer_id = customer.id
            and other.origin = 'quickbooks'
            and other.deleted_at is null
    )
    or exists (
        select
        from peakflo.credit_note as credit_note
        where
            credit_note.company_id = payment.company_id
            and credit_note.customer_id = customer.id
            and credit_note.deleted_at is null
    ) as has_records,
    company.realm_id as company_realm_id,
    company.home_currency,
    company.book_close_date,
    coalesce(connection.status, 'disconnected') as connection_status,
    coalesce(setting.auto_sync, true) as is_auto_sync,
    (
        select method.qbo_id
        from staging.payment_method as method
        where
            method.realm_id = payment.realm_id
            and method.deleted_at is null
            and lower(method.payload ->> 'Name') = lower(payment.method)
            and method.payload ->> 'Active' is distinct from 'false'
        order by method.qbo_id
        limit 1
    ) as method_qbo_id
from peakflo.payment as payment
inner join peakflo.company as company on payment.company_id = company.company_id
inner join peakflo.customer as customer
    on
        payment.company_id = customer.company_id
        and customer.id = outbox.payer(payment.company_id, payment.id)
left join sync.connection as connection on payment.company_id = connection.company_id
left join sync.company_setting as setting on payment.company_id = setting.company_id
where payment.company_id = %(company_id)s and payment.id = %(payment_id)s and payment.origin = 'peakflo';
