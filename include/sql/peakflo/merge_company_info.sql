-- Bring CompanyInfo into peakflo.company: the name, the country and the time zone. What it leaves out stays as known.
with source as (
    select
        coalesce(staging.text(info.payload -> 'CompanyName'), kept.source_name) as source_name,
        coalesce(staging.text(info.payload -> 'Country'), kept.country) as country,
        coalesce(zone.name, kept.time_zone) as time_zone
    from peakflo.company as kept
    inner join staging.company_info as info on kept.realm_id = info.realm_id
    left join pg_timezone_names as zone on info.payload ->> 'DefaultTimeZone' = zone.name
    -- The company may have been connected to other books since these were read.
    where kept.company_id = %(company_id)s and kept.realm_id = %(realm_id)s
),

merged as (
    update peakflo.company as kept
    set
        source_name = source.source_name,
        country = source.country,
        time_zone = source.time_zone
    from source
    where
        kept.company_id = %(company_id)s
        and (kept.source_name, kept.country, kept.time_zone)
        is distinct from (source.source_name, source.country, source.time_zone)
    returning 1 as merged
)

select
    %(qbo_ids)b::text[] as resolved,
    (select count(*) from merged) as merged,
    0 as deleted;
