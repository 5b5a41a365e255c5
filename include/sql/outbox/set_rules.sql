-- Set what a company allows of its payments; what is not given stays.
insert into sync.company_setting as kept (
    company_id, rounding_limit, rounding_share, approval_above, leaves_excess
)
values (
    %(company_id)s,
    coalesce(%(rounding_limit)s, 1),
    coalesce(%(rounding_share)s, 0.005),
    nullif(%(approval_above)s, 'none')::numeric,
    coalesce(%(leaves_excess)s, false)
)
on conflict (company_id) do update
    set
        rounding_limit = coalesce(%(rounding_limit)s, kept.rounding_limit),
        rounding_share = coalesce(%(rounding_share)s, kept.rounding_share),
        approval_above = case
            when %(approval_above)s::text is null then kept.approval_above
            else nullif(%(approval_above)s, 'none')::numeric
        end,
        leaves_excess = coalesce(%(leaves_excess)s, kept.leaves_excess);
