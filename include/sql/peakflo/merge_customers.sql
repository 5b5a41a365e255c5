-- Bring staged customers into peakflo.customer; one whose parent has not been read waits.
with staged as materialized (
    select
        realm_id,
        qbo_id,
        qbo_updated_at,
        deleted_at,
        payload
    from staging.customer
    where realm_id = %(realm_id)s and qbo_id = any(%(qbo_ids)b::text[])
),

read as (
    select
        (
            select mapped.peakflo_id
            from mapping.customer as mapped
            where mapped.realm_id = %(realm_id)s and mapped.qbo_id = staged.qbo_id
        ) as id,
        staged.realm_id,
        staged.qbo_id as source_id,
        staged.qbo_updated_at as source_updated_at,
        staged.deleted_at,
        customer."DisplayName" as company_name,
        (staging.addresses(customer."PrimaryEmailAddr" ->> 'Address'))[1] as email,
        customer."PrimaryPhone" ->> 'FreeFormNumber' as phone,
        customer."CurrencyRef" ->> 'value' as currency,
        (
            select mapped.peakflo_id
            from mapping.customer as mapped
            where mapped.realm_id = %(realm_id)s and mapped.qbo_id = customer."ParentRef" ->> 'value'
        ) as parent_id,
        coalesce(customer."BillWithParent", false) as bill_with_parent,
        customer."Balance" as balance,
        customer."BalanceWithJobs" as balance_with_children,
        (
            select term.payload ->> 'Name'
            from staging.term as term
            where term.realm_id = %(realm_id)s and term.qbo_id = customer."SalesTermRef" ->> 'value'
        ) as payment_term,
        case
            when staged.deleted_at is not null then 'deleted'
            when customer."Active" is false then 'archived'
            else 'active'
        end as status,
        nullif(
            jsonb_strip_nulls(
                jsonb_build_object(
                    'line1', customer."BillAddr" ->> 'Line1',
                    'line2', customer."BillAddr" ->> 'Line2',
                    'line3', customer."BillAddr" ->> 'Line3',
                    'line4', customer."BillAddr" ->> 'Line4',
                    'city', customer."BillAddr" ->> 'City',
                    'region', customer."BillAddr" ->> 'CountrySubDivisionCode',
                    'country', customer."BillAddr" ->> 'Country',
                    'postalCode', customer."BillAddr" ->> 'PostalCode'
                )
            ),
            '{}'
        ) as billing_address,
        customer."ParentRef" ->> 'value' is null
        or (
            select true
            from staging.customer as parent
            where parent.realm_id = %(realm_id)s and parent.qbo_id = customer."ParentRef" ->> 'value'
        ) as is_parent_read
    from staged
    cross join lateral jsonb_to_record(staged.payload) as customer (
        "DisplayName" text,
        "PrimaryEmailAddr" jsonb,
        "PrimaryPhone" jsonb,
        "CurrencyRef" staging.reference,
        "ParentRef" staging.reference,
        "BillWithParent" boolean,
        "Balance" staging.number,
        "BalanceWithJobs" staging.number,
        "SalesTermRef" staging.reference,
        "Active" boolean,
        "BillAddr" jsonb
    )
),

source as (
    select *
    from read
    where id is not null and is_parent_read
),

merged as (
    insert into peakflo.customer as kept (
        company_id, id, realm_id, source_id, source_updated_at, deleted_at, company_name, email, phone,
        currency, parent_id, bill_with_parent, balance, balance_with_children, payment_term, status,
        billing_address
    )
    select
        %(company_id)s as company_id,
        id,
        realm_id,
        source_id,
        source_updated_at,
        deleted_at,
        company_name,
        email,
        phone,
        currency,
        parent_id,
        bill_with_parent,
        balance,
        balance_with_children,
        payment_term,
        status,
        billing_address
    from source
    on conflict (company_id, id) do update
        set
            source_updated_at = excluded.source_updated_at,
            deleted_at = excluded.deleted_at,
            company_name = excluded.company_name,
            email = excluded.email,
            phone = excluded.phone,
            currency = excluded.currency,
            parent_id = excluded.parent_id,
            bill_with_parent = excluded.bill_with_parent,
            balance = excluded.balance,
            balance_with_children = excluded.balance_with_children,
            payment_term = excluded.payment_term,
            status = excluded.status,
            billing_address = excluded.billing_address
        where kept.* is distinct from excluded.*
    returning kept.deleted_at
)

select
    (select coalesce(array_agg(source.source_id), '{}') from source) as resolved,
    count(*) filter (where merged.deleted_at is null) as merged,
    count(*) filter (where merged.deleted_at is not null) as deleted
from merged;
