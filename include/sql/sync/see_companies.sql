-- Say who asks in this session of the pages, and which companies they see: all, as long as nobody is named, and for
-- administrators; else those for which they or one of their groups are named.
with named as (
    select
        count(*) = 0 as is_nobody,
        coalesce(
            string_agg(company_id, ',') filter (
                where
                (member_kind = 'user' and member = %(actor)s)
                or (member_kind = 'group' and member = any(%(groups)s::text[]))
            ),
            ''
        ) as companies
    from sync.company_member
    where member_kind in ('user', 'group')
)

select
    set_config('receivables.actor', %(actor)s, false) as actor,
    set_config('receivables.via', 'page', false) as via,
    set_config(
        'receivables.companies', case when %(sees_all)s or is_nobody then '*' else companies end, false
    ) as companies
from named;
