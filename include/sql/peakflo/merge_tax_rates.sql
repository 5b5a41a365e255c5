-- Bring staged tax rates into peakflo.tax_rate.
with staged as materialized (
    select
        realm_id,
        qbo_id,
        qbo_updated_at,
        deleted_at,
        payload
    from staging.tax_rate
    where realm_id = %(realm_id)s and qbo_id = any(%(qbo_ids)b::text[])
),

source as (
    select
        (
            select mapped.peakflo_id
            from mapping.tax_rate as mapped
            where mapped.realm_id = %(realm_id)s and mapped.qbo_id = staged.qbo_id
        ) as id,
        staged.realm_id,
        staged.qbo_id as source_id,
        staged.qbo_updated_at as source_updated_at,
        staged.deleted_at,
        tax_rate."Name" as name,
        tax_rate."Description" as description,
        coalesce(tax_rate."Active", true) as active,
        tax_rate."RateValue" as rate
    from staged
    cross join lateral jsonb_to_record(staged.payload) as tax_rate (
        "Name" text,
        "Description" text,
        "Active" boolean,
        "RateValue" staging.number
    )
    where staged.payload ->> 'status' is distinct from 'Deleted'
),

merged as (
    insert into peakflo.tax_rate as kept (
        company_id, id, realm_id, source_id, source_updated_at, deleted_at, name, description, active, rate
    )
    select
        %(company_id)s as company_id,
        id,
        realm_id,
        source_id,
        source_updated_at,
        deleted_at,
        name,
        description,
        active,
        rate
    from source
    on conflict (company_id, id) do update
        set
            source_updated_at = excluded.source_updated_at,
            deleted_at = excluded.deleted_at,
            name = excluded.name,
            description = excluded.description,
            active = excluded.active,
            rate = excluded.rate
        where kept.* is distinct from excluded.*
    returning kept.deleted_at
)

select
    (select coalesce(array_agg(source.source_id), '{}') from source) as resolved,
    count(*) filter (where merged.deleted_at is null) as merged,
    count(*) filter (where merged.deleted_at is not null) as deleted
from merged;
