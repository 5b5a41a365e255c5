-- List the proofs of a company's books, the newest first.
select
    proof_id,
    made_at,
    verdict,
    reason,
    home_currency,
    report_day,
    quickbooks_total,
    peakflo_total,
    difference_total,
    explained_total,
    coalesce(round(explained_total / nullif(difference_total, 0) * 100, 1), 100) as explained_share,
    time_to_explanation,
    repaired,
    counts,
    calls,
    (
        select count(*)
        from proof.difference as difference
        where difference.proof_id = proof.proof_id and not difference.is_repaired
    ) as differences
from proof.proof as proof
where
    company_id = %(company_id)s
    and realm_id = %(realm_id)s
    and (%(proof_id)s::bigint is null or proof_id = %(proof_id)s)
order by proof_id desc
limit %(most)s;
