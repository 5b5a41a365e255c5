-- Bring staged tax rates into peakflo.tax_rate.
with source as (
    select
        mapped.peakflo_id as id,
        staged.realm_id,
        staged.qbo_id as source_id,
        staged.qbo_updated_at as source_updated_at,
        staged.deleted_at,
        tax_rate."Name" as name,
        tax_rate."Description" as description,
        coalesce(tax_rate."Active", true) as active,
        tax_rate."RateValue" as rate
    from staging.tax_rate as staged
    inner join mapping.tax_rate as mapped on staged.realm_id = mapped.realm_id and staged.qbo_id = mapped.qbo_id
    cross join lateral jsonb_to_record(staged.payload) as tax_rate (
        "Name" text,
        "Description" text,
        "Active" boolean,
        "RateValue" numeric
    )
    where staged.realm_id = %(realm_id)s and staged.qbo_id = any(%(qbo_ids)b::text[])
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
