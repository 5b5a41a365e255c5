-- Bring staged payments into peakflo.payment; one whose customer is unknown, or that points at an account, an
-- invoice or a credit memo that has not been read, waits.
-- A payment that Peakflo created is Peakflo's: its echo from QuickBooks is recognised and changes nothing.
with staged as materialized (
    select
        realm_id,
        qbo_id,
        qbo_updated_at,
        deleted_at,
        payload
    from staging.payment
    where realm_id = %(realm_id)s and qbo_id = any(%(qbo_ids)b::text[])
),

read as (
    select
        known.peakflo_id as id,
        known.origin,
        staged.realm_id,
        staged.qbo_id as source_id,
        staged.qbo_updated_at as source_updated_at,
        staged.deleted_at,
        (
            select mapped.peakflo_id
            from mapping.customer as mapped
            where mapped.realm_id = %(realm_id)s and mapped.qbo_id = payment."CustomerRef" ->> 'value'
        ) as customer_id,
        payment."TxnDate"::date as payment_date,
        payment."TotalAmt" as total,
        payment."UnappliedAmt" as unapplied,
        payment."CurrencyRef" ->> 'value' as currency,
        payment."ExchangeRate" as exchange_rate,
        coalesce(
            (
                select method.payload ->> 'Name'
                from staging.payment_method as method
                where method.realm_id = %(realm_id)s and method.qbo_id = payment."PaymentMethodRef" ->> 'value'
            ),
            payment."PaymentMethodRef" ->> 'name'
        ) as method,
        payment."PaymentRefNum" as reference,
        payment."PrivateNote" as note,
        (
            select mapped.peakflo_id
            from mapping.account as mapped
            where mapped.realm_id = %(realm_id)s and mapped.qbo_id = payment."DepositToAccountRef" ->> 'value'
        ) as deposit_account_id,
        case
            when staged.deleted_at is not null then 'deleted'
            when staging.is_voided(staged.payload) then 'voided'
            else 'active'
        end as status,
        coalesce(
            nullif(payment."MetaData" ->> 'CreateTime', '')::timestamptz, staged.qbo_updated_at
        ) as created_at,
        payment."DepositToAccountRef" ->> 'value' is null
        or (
            select true
            from staging.account as account
            where account.realm_id = %(realm_id)s and account.qbo_id = payment."DepositToAccountRef" ->> 'value'
        ) as is_account_read,
        (
            select count(*)
            from jsonb_array_elements(payment."Line") as line (item)
            cross join lateral jsonb_array_elements(line.item -> 'LinkedTxn') as linked (item)
            where
                case linked.item ->> 'TxnType'
                    when 'Invoice'
                        then (
                            select true
                            from staging.invoice as invoice
                            where invoice.realm_id = %(realm_id)s and invoice.qbo_id = linked.item ->> 'TxnId'
                        )
                    when 'CreditMemo'
                        then (
                            select true
                            from staging.credit_memo as credit_memo
                            where credit_memo.realm_id = %(realm_id)s and credit_memo.qbo_id = linked.item ->> 'TxnId'
                        )
                    else true
                end is null
        ) as unread_links
    from staged
    cross join lateral jsonb_to_record(staged.payload) as payment (
        "TxnDate" staging.day,
        "CustomerRef" staging.reference,
        "TotalAmt" text,
        "UnappliedAmt" text,
        "CurrencyRef" staging.reference,
        "ExchangeRate" staging.number,
        "PaymentMethodRef" staging.reference,
        "PaymentRefNum" text,
        "PrivateNote" text,
        "DepositToAccountRef" staging.reference,
        "MetaData" jsonb,
        "Line" staging.lines
    )
    left join mapping.payment as known on known.realm_id = %(realm_id)s and staged.qbo_id = known.qbo_id
),

source as (
    select
        read.*,
        staging.needed_amount(read.total, 'TotalAmt') as amount,
        staging.needed_amount(read.unapplied, 'UnappliedAmt') as unapplied_amount
    from read
    where
        read.origin = 'quickbooks'
        and read.customer_id is not null
        and read.is_account_read
        and read.unread_links = 0
),

merged as (
    insert into peakflo.payment as kept (
        company_id, id, realm_id, source_id, source_updated_at, deleted_at, customer_id, payment_date, amount,
        unapplied_amount, currency, exchange_rate, method, reference, note, deposit_account_id, status,
        origin, created_at
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
        origin,
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
        select coalesce(array_agg(done.source_id), '{}')
        from (
            select source_id from source
            union all
            select source_id from read
            where origin = 'peakflo'
        ) as done
    ) as resolved,
    count(*) filter (where merged.deleted_at is null) as merged,
    count(*) filter (where merged.deleted_at is not null) as deleted
from merged;
