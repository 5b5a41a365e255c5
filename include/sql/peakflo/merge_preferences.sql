-- Bring Preferences into peakflo.company: the home currency and the date up to which the books are closed. What they
-- leave out stays as known; but that the books are open, QuickBooks says by accounting preferences without that date.
with source as (
    select
        coalesce(
            staging.text(preferences.payload #> '{CurrencyPrefs,HomeCurrency,value}'), kept.home_currency
        ) as home_currency,
        case jsonb_typeof(preferences.payload -> 'AccountingInfoPrefs')
            when 'object'
                then nullif(btrim(preferences.payload #>> '{AccountingInfoPrefs,BookCloseDate}'), '')::date
            else kept.book_close_date
        end as book_close_date
    from peakflo.company as kept
    inner join staging.preferences as preferences on kept.realm_id = preferences.realm_id
    -- The company may have been connected to other books since these were read.
    where kept.company_id = %(company_id)s and kept.realm_id = %(realm_id)s
),

merged as (
    update peakflo.company as kept
    set
        home_currency = source.home_currency,
        book_close_date = source.book_close_date
    from source
    where
        kept.company_id = %(company_id)s
        and (kept.home_currency, kept.book_close_date)
        is distinct from (source.home_currency, source.book_close_date)
    returning 1 as merged
)

select
    %(qbo_ids)b::text[] as resolved,
    (select count(*) from merged) as merged,
    0 as deleted;
