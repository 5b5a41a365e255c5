-- Measure the last proof of each company: how old it is, and how much of what differs has no known cause, in its home
-- currency.
with latest as (
    select
        connection.company_id,
        proof.*
    from sync.connection as connection
    cross join lateral (
        select
            made.made_at,
            made.verdict,
            made.difference_total - made.explained_total as unexplained
        from proof.proof as made
        where made.company_id = connection.company_id and made.realm_id = connection.realm_id
        order by made.proof_id desc
        limit 1
    ) as proof
    where connection.status = 'connected'
)

select
    figure.name,
    json_build_object('company_id', latest.company_id) as tags,
    figure.value
from latest
cross join lateral (
    values
    ('proof_age_seconds', extract(epoch from now() - latest.made_at)),
    ('proof_unexplained_amount', latest.unexplained),
    ('proof_failed', case when latest.verdict in ('differs', 'not_proved') then 1 else 0 end)
) as figure (name, value)
where figure.value is not null;
