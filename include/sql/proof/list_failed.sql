-- List the connected companies whose last proof found what nobody can explain, or proved nothing although both sides
-- were read. One that could not be made is told by what kept it from being.
with latest as (
    select distinct on (company_id, realm_id)
        proof_id,
        company_id,
        realm_id,
        made_at,
        verdict,
        reason,
        home_currency,
        difference_total - explained_total as amount
    from proof.proof
    where
        (%(company_ids)s::text[] is null or company_id = any(%(company_ids)s::text[]))
        and counts <> '{}'
    order by company_id asc, realm_id asc, proof_id desc
)

select
    latest.company_id,
    latest.made_at,
    latest.verdict,
    latest.reason,
    latest.home_currency,
    latest.amount,
    (
        select count(*)
        from proof.difference as difference
        where difference.proof_id = latest.proof_id and not difference.is_explained
    ) as differences
from latest
inner join sync.connection as connection
    on latest.company_id = connection.company_id and latest.realm_id = connection.realm_id
where latest.verdict in ('differs', 'not_proved') and connection.status = 'connected'
order by latest.company_id;
