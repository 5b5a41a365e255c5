-- Bring staged tax codes into peakflo.tax_code, each with the rates it is made of.
with staged as materialized (
    select
        realm_id,
        qbo_id,
        qbo_updated_at,
        deleted_at,
        payload
    from staging.tax_code
    where realm_id = %(realm_id)s and qbo_id = any(%(qbo_ids)b::text[])
),

rate as (
    select
        qbo_id,
        'sales' as applies_to,
        jsonb_array_elements(payload #> '{SalesTaxRateList,TaxRateDetail}') as item
    from staged
    union all
    select
        qbo_id,
        'purchases' as applies_to,
        jsonb_array_elements(payload #> '{PurchaseTaxRateList,TaxRateDetail}') as item
    from staged
),

rates as (
    select
        rate.qbo_id,
        jsonb_agg(
            jsonb_build_object(
                'tax_rate_id', tax_rate.peakflo_id,
                'order', (rate.item ->> 'TaxOrder')::integer,
                'applies_to', rate.applies_to
            )
            order by rate.applies_to, (rate.item ->> 'TaxOrder')::integer, rate.item #>> '{TaxRateRef,value}'
        ) as rates
    from rate
    left join mapping.tax_rate as tax_rate
        on tax_rate.realm_id = %(realm_id)s and tax_rate.qbo_id = rate.item #>> '{TaxRateRef,value}'
    group by rate.qbo_id
),

source as (
    select
        (
            select mapped.peakflo_id
            from mapping.tax_code as mapped
            where mapped.realm_id = %(realm_id)s and mapped.qbo_id = staged.qbo_id
        ) as id,
        staged.realm_id,
        staged.qbo_id as source_id,
        staged.qbo_updated_at as source_updated_at,
        staged.deleted_at,
        tax_code."Name" as name,
        tax_code."Description" as description,
        coalesce(tax_code."Active", true) as active,
        coalesce(rates.rates, '[]') as rates
    from staged
    cross join lateral jsonb_to_record(staged.payload) as tax_code (
        "Name" text,
        "Description" text,
        "Active" boolean
    )
    left join rates on staged.qbo_id = rates.qbo_id
    where staged.payload ->> 'status' is distinct from 'Deleted'
),

merged as (
    insert into peakflo.tax_code as kept (
        company_id, id, realm_id, source_id, source_updated_at, deleted_at, name, description, active, rates
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
        rates
    from source
    on conflict (company_id, id) do update
        set
            source_updated_at = excluded.source_updated_at,
            deleted_at = excluded.deleted_at,
            name = excluded.name,
            description = excluded.description,
            active = excluded.active,
            rates = excluded.rates
        where kept.* is distinct from excluded.*
    returning kept.deleted_at
)

select
    (select coalesce(array_agg(source.source_id), '{}') from source) as resolved,
    count(*) filter (where merged.deleted_at is null) as merged,
    count(*) filter (where merged.deleted_at is not null) as deleted
from merged;
