-- Bring the company's own facts (CompanyInfo, Preferences) into peakflo.company.
with source as (
    select
        company_info.payload ->> 'CompanyName' as source_name,
        company_info.payload ->> 'Country' as country,
        preferences.payload #>> '{CurrencyPrefs,HomeCurrency,value}' as home_currency,
        (preferences.payload #>> '{AccountingInfoPrefs,BookCloseDate}')::date as book_close_date,
        zone.name as time_zone
    from (select %(realm_id)s::text as realm_id) as realm
    left join staging.company_info as company_info on realm.realm_id = company_info.realm_id
    left join staging.preferences as preferences on realm.realm_id = preferences.realm_id
    left join pg_timezone_names as zone on company_info.payload ->> 'DefaultTimeZone' = zone.name
),

merged as (
    update peakflo.company as kept
    set
        source_name = source.source_name,
        country = source.country,
        home_currency = source.home_currency,
        book_close_date = source.book_close_date,
        time_zone = coalesce(source.time_zone, kept.time_zone)
    from source
    where
        kept.company_id = %(company_id)s
        -- The company may have been connected to other books since these were read.
        and kept.realm_id = %(realm_id)s
        and (kept.source_name, kept.country, kept.home_currency, kept.book_close_date, kept.time_zone)
        is distinct from (
            source.source_name,
            source.country,
            source.home_currency,
            source.book_close_date,
            coalesce(source.time_zone, kept.time_zone)
        )
    returning 1 as merged
)

select
    %(qbo_ids)b::text[] as resolved,
    (select count(*) from merged) as merged,
    0 as deleted;
