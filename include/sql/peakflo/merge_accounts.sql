-- Bring staged accounts into peakflo.account; one whose parent has not been read waits.
with source as (
    select
        mapped.peakflo_id as id,
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
        parent.peakflo_id as parent_id,
        account."CurrentBalance" as balance,
        case
            when staged.deleted_at is not null then 'deleted'
            when account."Active" is false then 'archived'
            else 'active'
        end as status
    from staging.account as staged
    inner join mapping.account as mapped on staged.realm_id = mapped.realm_id and staged.qbo_id = mapped.qbo_id
    cross join lateral jsonb_to_record(staged.payload) as account (
        "AcctNum" text,
        "Name" text,
        "FullyQualifiedName" text,
        "AccountType" text,
        "AccountSubType" text,
        "Classification" text,
        "CurrencyRef" jsonb,
        "ParentRef" jsonb,
        "CurrentBalance" numeric,
        "Active" boolean
    )
    left join mapping.account as parent
        on staged.realm_id = parent.realm_id and parent.qbo_id = account."ParentRef" ->> 'value'
    where
        staged.realm_id = %(realm_id)s
        and staged.qbo_id = any(%(qbo_ids)b::text[])
        and (
            account."ParentRef" ->> 'value' is null
            or exists (
                select 1
                from staging.account as known
                where known.realm_id = %(realm_id)s and known.qbo_id = account."ParentRef" ->> 'value'
            )
        )
),

merged as (
    insert into peakflo.account as kept (
        company_id, id, realm_id, source_id, source_updated_at, deleted_at, code, name, full_name, type, sub_type,
        classification, currency, parent_id, balance, status
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
