-- Note which open alerts have lost their cause, and close those that lost it long enough ago.
with seen as materialized (
    select
        cause.company_id,
        cause.code,
        cause.detail
    from jsonb_to_recordset(%(causes)s::jsonb) as cause (company_id text, code text, detail text)
)

update sync.alert as known
set
    gone_at = coalesce(known.gone_at, %(moment)s),
    closed_at = case when known.gone_at <= %(moment)s - %(pause)s::interval then %(moment)s::timestamptz end
where
    known.closed_at is null
    and (known.gone_at is null or known.gone_at <= %(moment)s - %(pause)s::interval)
    and (known.company_id, known.code, known.detail) not in (
        select
            seen.company_id,
            seen.code,
            seen.detail
        from seen
    );
