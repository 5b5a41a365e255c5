-- Bring staged credit memos into peakflo.credit_note; one whose customer is unknown waits.
with source as (
    select
        mapped.peakflo_id as id,
        staged.realm_id,
        staged.qbo_id as source_id,
        staged.qbo_updated_at as source_updated_at,
        staged.deleted_at,
        customer.peakflo_id as customer_id,
        credit_memo."DocNumber" as credit_note_number,
        credit_memo."TxnDate" as issue_date,
        credit_memo."CurrencyRef" ->> 'value' as currency,
        credit_memo."ExchangeRate" as exchange_rate,
        credit_memo."TotalAmt" as total_amount,
        coalesce(credit_memo."RemainingCredit", credit_memo."Balance", 0) as remaining_credit,
        case
            when staged.deleted_at is not null then 'deleted'
            when credit_memo."TotalAmt" = 0 and credit_memo."PrivateNote" like 'Voided%%' then 'voided'
            when coalesce(credit_memo."RemainingCredit", credit_memo."Balance", 0) = 0 then 'applied'
            else 'open'
        end as status,
        credit_memo."CustomerMemo" ->> 'value' as note
    from staging.credit_memo as staged
    inner join mapping.credit_note as mapped on staged.realm_id = mapped.realm_id and staged.qbo_id = mapped.qbo_id
    cross join lateral jsonb_to_record(staged.payload) as credit_memo (
        "DocNumber" text,
        "TxnDate" date,
        "CustomerRef" jsonb,
        "CurrencyRef" jsonb,
        "ExchangeRate" numeric,
        "TotalAmt" numeric,
        "RemainingCredit" numeric,
        "Balance" numeric,
        "PrivateNote" text,
        "CustomerMemo" jsonb
    )
    inner join mapping.customer as customer
        on staged.realm_id = customer.realm_id and customer.qbo_id = credit_memo."CustomerRef" ->> 'value'
    where staged.realm_id = %(realm_id)s and staged.qbo_id = any(%(qbo_ids)b::text[])
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
        status,
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
