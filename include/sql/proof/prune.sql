-- Forget some old proofs; the last one of each company's books stays.
with old as (
    select proof.proof_id
    from proof.proof as proof
    where
        proof.made_at < now() - %(kept_for)s::interval
        and exists (
            select
            from proof.proof as later
            where
                later.company_id = proof.company_id
                and later.realm_id = proof.realm_id
                and later.proof_id > proof.proof_id
        )
    order by proof.proof_id
    -- Each has a row for each customer.
    limit greatest(1, %(most)s / 1000)
)

delete from proof.proof as proof
using old
where proof.proof_id = old.proof_id;
