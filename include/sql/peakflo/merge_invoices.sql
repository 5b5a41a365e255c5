-- Bring staged invoices into peakflo.invoice; one whose customer is unknown waits.
-- Its amounts are QuickBooks' own. Should its lines not add up to them, it goes in all the same and nobody is told:
-- what is owed does not depend on the lines, QuickBooks rounds a tax that prices include in its own way, and a problem
-- that nobody can cure would end all reminders of the invoice.
with staged as materialized (
    select
        realm_id,
        qbo_id,
        qbo_updated_at,
        deleted_at,
        payload
    from staging.invoice
    where realm_id = %(realm_id)s and qbo_id = any(%(qbo_ids)b::text[])
),

read as materialized (
    select
        (
            select mapped.peakflo_id
            from mapping.invoice as mapped
            where mapped.realm_id = %(realm_id)s and mapped.qbo_id = staged.qbo_id
        ) as id,
        staged.realm_id,
        staged.qbo_id as source_id,
        staged.qbo_updated_at as source_updated_at,
        staged.deleted_at,
        (
            select mapped.peakflo_id
            from mapping.customer as mapped
            where mapped.realm_id = %(realm_id)s and mapped.qbo_id = invoice."CustomerRef" ->> 'value'
        ) as customer_id,
        invoice."DocNumber" as invoice_number,
        invoice."TxnDate"::date as issue_date,
        nullif(invoice."DueDate", '')::date as said_due_date,
        case
            when coalesce(invoice."DueDate", '') = ''
                then (
                    select staging.due_date(invoice."TxnDate"::date, term.payload)
                    from staging.term as term
                    where term.realm_id = %(realm_id)s and term.qbo_id = invoice."SalesTermRef" ->> 'value'
                )
        end as term_due_date,
        invoice."CurrencyRef" ->> 'value' as currency,
        invoice."ExchangeRate" as exchange_rate,
        line.sub_total as lines_total,
        coalesce(line.total_discount, 0) as total_discount,
        coalesce((invoice."TxnTaxDetail" ->> 'TotalTax')::staging.number, 0) as total_tax_amount,
        invoice."TotalAmt" as total,
        invoice."Balance" as balance,
        staging.is_voided(staged.payload) as is_voided,
        coalesce(invoice.status in ('Draft', 'Pending'), false) as is_draft,
        -- The private note is not meant for the customer's eyes; the memo is.
        invoice."CustomerMemo" ->> 'value' as note,
        staging.addresses(invoice."BillEmail" ->> 'Address') as emailed_to
    from staged
    cross join lateral jsonb_to_record(staged.payload) as invoice (
        "DocNumber" text,
        "TxnDate" staging.day,
        "DueDate" staging.day,
        "SalesTermRef" staging.reference,
        "CustomerRef" staging.reference,
        "CurrencyRef" staging.reference,
        "ExchangeRate" staging.number,
        "TxnTaxDetail" staging.object,
        "TotalAmt" text,
        "Balance" text,
        "CustomerMemo" jsonb,
        "BillEmail" jsonb,
        status text
    )
    cross join lateral (
        select
            sum((line.item ->> 'Amount')::staging.number) filter (where not line.is_discount) as sub_total,
            sum((line.item ->> 'Amount')::staging.number) filter (where line.is_discount) as total_discount
        from staging.invoice_lines(staged.payload) as line
    ) as line
),

source as (
    select
        read.*,
        staging.needed_amount(read.total, 'TotalAmt') as total_amount,
        staging.needed_amount(read.balance, 'Balance') as amount_due
    from read
    where read.id is not null and read.customer_id is not null
),

merged as (
    insert into peakflo.invoice as kept (
        company_id, id, realm_id, source_id, source_updated_at, deleted_at, customer_id, invoice_number,
        issue_date, due_date, due_date_basis, currency, exchange_rate, sub_total, total_discount,
        total_tax_amount, total_amount, amount_due, status, note, emailed_to
    )
    select
        %(company_id)s as company_id,
        id,
        realm_id,
        source_id,
        source_updated_at,
        deleted_at,
        customer_id,
        invoice_number,
        issue_date,
        coalesce(said_due_date, term_due_date, issue_date) as due_date,
        case
            when said_due_date is not null then 'quickbooks'
            when term_due_date is not null then 'terms'
            when issue_date is not null then 'issue_date'
        end as due_date_basis,
        currency,
        exchange_rate,
        coalesce(lines_total, total_amount - total_tax_amount + total_discount) as sub_total,
        total_discount,
        total_tax_amount,
        total_amount,
        amount_due,
        case
            when deleted_at is not null or is_voided then 'cancelled'
            when is_draft then 'draft'
            when amount_due = 0 then 'paid'
            else 'sent'
        end as status,
        note,
        emailed_to
    from source
    on conflict (company_id, id) do update
        set
            source_updated_at = excluded.source_updated_at,
            deleted_at = excluded.deleted_at,
            customer_id = excluded.customer_id,
            invoice_number = excluded.invoice_number,
            issue_date = excluded.issue_date,
            due_date = excluded.due_date,
            due_date_basis = excluded.due_date_basis,
            currency = excluded.currency,
            exchange_rate = excluded.exchange_rate,
            sub_total = excluded.sub_total,
            total_discount = excluded.total_discount,
            total_tax_amount = excluded.total_tax_amount,
            total_amount = excluded.total_amount,
            amount_due = excluded.amount_due,
            status = excluded.status,
            note = excluded.note,
            emailed_to = excluded.emailed_to
        where kept.* is distinct from excluded.*
    returning kept.deleted_at
)

select
    (select coalesce(array_agg(source.source_id), '{}') from source) as resolved,
    count(*) filter (where merged.deleted_at is null) as merged,
    count(*) filter (where merged.deleted_at is not null) as deleted
from merged;
