-- Bring staged credit memos into peakflo.credit_note; one whose customer is unknown waits.
-- What is left of one is its RemainingCredit or, where QuickBooks leaves that out, its Balance, which some answers give
-- as what the customer owes: below 0.
with staged as materialized (
    select
        realm_id,
        qbo_id,
        qbo_updated_at,
        deleted_at,
        payload
    from staging.credit_memo
    where realm_id = %(realm_id)s and qbo_id = any(%(qbo_ids)b::text[])
),

read as (
    select
        (
            select mapped.peakflo_id
            from mapping.credit_note as mapped
            where mapped.realm_id = %(realm_id)s and mapped.qbo_id = staged.qbo_id
        ) as id,
        staged.realm_id,
        staged.qbo_id as source_id,
        staged.qbo_updated_at as source_updated_at,
        staged.deleted_at,
        (
            select mapped.peakflo_id
            from mapping.customer as mapped
            where mapped.realm_id = %(realm_id)s and mapped.qbo_id = credit_memo."CustomerRef" ->> 'value'
        ) as customer_id,
        credit_memo."DocNumber" as credit_note_number,
        credit_memo."TxnDate"::date as issue_date,
        credit_memo."CurrencyRef" ->> 'value' as currency,
        credit_memo."ExchangeRate" as exchange_rate,
        credit_memo."TotalAmt" as total,
        coalesce(nullif(credit_memo."RemainingCredit", ''), credit_memo."Balance") as remaining,
        staging.is_voided(staged.payload) as is_voided,
        credit_memo."CustomerMemo" ->> 'value' as note
    from staged
    cross join lateral jsonb_to_record(staged.payload) as credit_memo (
        "DocNumber" text,
        "TxnDate" staging.day,
        "CustomerRef" staging.reference,
        "CurrencyRef" staging.reference,
        "ExchangeRate" staging.number,
        "TotalAmt" text,
        "RemainingCredit" text,
        "Balance" text,
        "CustomerMemo" jsonb
    )
),

source as (
    select
        read.*,
        staging.needed_amount(read.total, 'TotalAmt') as total_amount,
        abs(staging.needed_amount(read.remaining, 'RemainingCredit or Balance')) as remaining_credit
    from read
    where read.id is not null and read.customer_id is not null
),

merged as (
    insert into peakflo.credit_note as kept (
        company_id, id, realm_id, source_id, source_updated_at, deleted_at, customer_id, credit_note_number,
        issue_date, currency, exchange_rate, total_amount, remaining_credit, status, note
    )
    select
        %(company_id)s as company_id,
        id,
        realm_id,
        source_id,
        source_updated_at,
        deleted_at,
        customer_id,
        credit_note_number,
        issue_date,
        currency,
        exchange_rate,
        total_amount,
        remaining_credit,
        case
            when deleted_at is not null then 'deleted'
            when is_voided then 'voided'
            when remaining_credit = 0 then 'applied'
            else 'open'
        end as status,
        note
    from source
    on conflict (company_id, id) do update
        set
            source_updated_at = excluded.source_updated_at,
            deleted_at = excluded.deleted_at,
            customer_id = excluded.customer_id,
            credit_note_number = excluded.credit_note_number,
            issue_date = excluded.issue_date,
            currency = excluded.currency,
            exchange_rate = excluded.exchange_rate,
            total_amount = excluded.total_amount,
            remaining_credit = excluded.remaining_credit,
            status = excluded.status,
            note = excluded.note
        where kept.* is distinct from excluded.*
    returning kept.deleted_at
)

select
    (select coalesce(array_agg(source.source_id), '{}') from source) as resolved,
    count(*) filter (where merged.deleted_at is null) as merged,
    count(*) filter (where merged.deleted_at is not null) as deleted
from merged;
