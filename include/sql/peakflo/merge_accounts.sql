-- Bring staged accounts into peakflo.account; one whose parent has not been read waits.
with staged as materialized (
    select
        realm_id,
        qbo_id,
        qbo_updated_at,
        deleted_at,
        payload
    from staging.account
    where realm_id = %(realm_id)s and qbo_id = any(%(qbo_ids)b::text[])
),

read as (
    select
        (
            select mapped.peakflo_id
            from mapping.account as mapped
            where mapped.realm_id = %(realm_id)s and mapped.qbo_id = staged.qbo_id
        ) as id,
        staged.realm_id,
        staged.qbo_id as source_id,
        staged.qbo_updated_at as source_updated_at,
        staged.deleted_at,
        account."AcctNum" as code,
        account."Name" as name,
        coalesce(account."FullyQualifiedName", account."Name") as full_name,
        account."AccountType" as type,
        account."AccountSubType" as sub_type,
        account."Classification" as classification,
        account."CurrencyRef" ->> 'value' as currency,
        (
            select mapped.peakflo_id
            from mapping.account as mapped
            where mapped.realm_id = %(realm_id)s and mapped.qbo_id = account."ParentRef" ->> 'value'
        ) as parent_id,
        account."CurrentBalance" as balance,
        case
            when staged.deleted_at is not null then 'deleted'
            when account."Active" is false then 'archived'
            else 'active'
        end as status,
        account."ParentRef" ->> 'value' is null
        or (
            select true
            from staging.account as parent
            where parent.realm_id = %(realm_id)s and parent.qbo_id = account."ParentRef" ->> 'value'
        ) as is_parent_read
    from staged
    cross join lateral jsonb_to_record(staged.payload) as account (
        "AcctNum" text,
        "Name" text,
        "FullyQualifiedName" text,
        "AccountType" text,
        "AccountSubType" text,
        "Classification" text,
        "CurrencyRef" staging.reference,
        "ParentRef" staging.reference,
        "CurrentBalance" staging.number,
        "Active" boolean
    )
),

source as (
    select *
    from read
    where id is not null and is_parent_read
),

merged as (
    insert into peakflo.account as kept (
        company_id, id, realm_id, source_id, source_updated_at, deleted_at, code, name, full_name, type,
        sub_type, classification, currency, parent_id, balance, status
    )
    select
        %(company_id)s as company_id,
        id,
        realm_id,
        source_id,
        source_updated_at,
        deleted_at,
        code,
        name,
        full_name,
        type,
        sub_type,
        classification,
        currency,
        parent_id,
        balance,
        status
    from source
    on conflict (company_id, id) do update
        set
            source_updated_at = excluded.source_updated_at,
            deleted_at = excluded.deleted_at,
            code = excluded.code,
            name = excluded.name,
            full_name = excluded.full_name,
            type = excluded.type,
            sub_type = excluded.sub_type,
            classification = excluded.classification,
            currency = excluded.currency,
            parent_id = excluded.parent_id,
            balance = excluded.balance,
            status = excluded.status
        where kept.* is distinct from excluded.*
    returning kept.deleted_at
)

select
    (select coalesce(array_agg(source.source_id), '{}') from source) as resolved,
    count(*) filter (where merged.deleted_at is null) as merged,
    count(*) filter (where merged.deleted_at is not null) as deleted
from merged;
