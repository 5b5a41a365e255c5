-- Bring staged payments into peakflo.payment; one whose customer is unknown, or that points at an account, an
-- invoice or a credit memo that has not been read, waits.
-- A payment that Peakflo created is Peakflo's: its echo from QuickBooks is recognised and changes nothing.
-- A voided payment has no amounts and no lines left and its note starts with "Voided" (Intuit: voiding a payment);
-- one without an amount that links credits to invoices is a payment like any other.
with mapped as (
    select
        staged.*,
        payment.peakflo_id,
        payment.origin
    from staging.payment as staged
    inner join mapping.payment as payment on staged.realm_id = payment.realm_id and staged.qbo_id = payment.qbo_id
    where staged.realm_id = %(realm_id)s and staged.qbo_id = any(%(qbo_ids)b::text[])
),

source as (
    select
        mapped.peakflo_id as id,
        mapped.realm_id,
        mapped.qbo_id as source_id,
        mapped.qbo_updated_at as source_updated_at,
        mapped.deleted_at,
        customer.peakflo_id as customer_id,
        payment."TxnDate" as payment_date,
        payment."TotalAmt" as amount,
        coalesce(payment."UnappliedAmt", 0) as unapplied_amount,
        payment."CurrencyRef" ->> 'value' as currency,
        payment."ExchangeRate" as exchange_rate,
        coalesce(method.payload ->> 'Name', payment."PaymentMethodRef" ->> 'name') as method,
        payment."PaymentRefNum" as reference,
        payment."PrivateNote" as note,
        account.peakflo_id as deposit_account_id,
        case
            when mapped.deleted_at is not null then 'deleted'
            when
                payment."TotalAmt" = 0
                and coalesce(jsonb_array_length(payment."Line"), 0) = 0
                and payment."PrivateNote" like 'Voided%%'
                then 'voided'
            else 'active'
        end as status,
        (payment."MetaData" ->> 'CreateTime')::timestamptz as created_at
    from mapped
    cross join lateral jsonb_to_record(mapped.payload) as payment (
        "TxnDate" date,
        "CustomerRef" jsonb,
        "TotalAmt" numeric,
        "UnappliedAmt" numeric,
        "CurrencyRef" jsonb,
        "ExchangeRate" numeric,
        "PaymentMethodRef" jsonb,
        "PaymentRefNum" text,
        "PrivateNote" text,
        "DepositToAccountRef" jsonb,
        "MetaData" jsonb,
        "Line" jsonb
    )
    inner join mapping.customer as customer
        on mapped.realm_id = customer.realm_id and customer.qbo_id = payment."CustomerRef" ->> 'value'
    left join mapping.account as account
        on mapped.realm_id = account.realm_id and account.qbo_id = payment."DepositToAccountRef" ->> 'value'
    left join staging.payment_method as method
        on mapped.realm_id = method.realm_id and method.qbo_id = payment."PaymentMethodRef" ->> 'value'
    where
        mapped.origin = 'quickbooks'
        and (
            payment."DepositToAccountRef" ->> 'value' is null
            or exists (
                select 1
                from staging.account as known
                where known.realm_id = %(realm_id)s and known.qbo_id = payment."DepositToAccountRef" ->> 'value'
            )
        )
        and not exists (
            select 1
            from jsonb_array_elements(payment."Line") as line (item)
            cross join lateral jsonb_array_elements(line.item -> 'LinkedTxn') as linked (item)
            left join staging.invoice as invoice
                on invoice.realm_id = %(realm_id)s and invoice.qbo_id = linked.item ->> 'TxnId'
            left join staging.credit_memo as credit_memo
                on credit_memo.realm_id = %(realm_id)s and credit_memo.qbo_id = linked.item ->> 'TxnId'
            where
                (linked.item ->> 'TxnType' = 'Invoice' and invoice.qbo_id is null)
                or (linked.item ->> 'TxnType' = 'CreditMemo' and credit_memo.qbo_id is null)
        )
),

merged as (
    insert into peakflo.payment as kept (
        company_id, id, realm_id, source_id, source_updated_at, deleted_at, customer_id, payment_date, amount,
        unapplied_amount, currency, exchange_rate, method, reference, note, deposit_account_id, status, origin,
        created_at
    )
    select
        %(company_id)s as company_id,
        id,
        realm_id,
        source_id,
        source_updated_at,
        deleted_at,
        customer_id,
        payment_date,
        amount,
        unapplied_amount,
        currency,
        exchange_rate,
        method,
        reference,
        note,
        deposit_account_id,
        status,
        'quickbooks' as origin,
        created_at
    from source
    on conflict (company_id, id) do update
        set
            source_updated_at = excluded.source_updated_at,
            deleted_at = excluded.deleted_at,
            customer_id = excluded.customer_id,
            payment_date = excluded.payment_date,
            amount = excluded.amount,
            unapplied_amount = excluded.unapplied_amount,
            currency = excluded.currency,
            exchange_rate = excluded.exchange_rate,
            method = excluded.method,
            reference = excluded.reference,
            note = excluded.note,
            deposit_account_id = excluded.deposit_account_id,
            status = excluded.status
        where kept.* is distinct from excluded.*
    returning kept.deleted_at
)

select
    (
        select coalesce(array_agg(mapped.qbo_id), '{}')
        from mapped
        where mapped.origin = 'peakflo' or exists (select 1 from source
where source.source_id = mapped.qbo_id)
    ) as resolved,
    count(*) filter (where merged.deleted_at is null) as merged,
    count(*) filter (where merged.deleted_at is not null) as deleted
from merged;
