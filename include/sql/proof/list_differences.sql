-- List in which respects both sides differ by a proof: those without a cause first, then the largest.
select
    class,
    entity,
    qbo_id,
    name,
    customer_id,
    customer_name,
    field,
    quickbooks,
    peakflo,
    amount,
    is_explained,
    is_repaired,
    sentence,
    remedy,
    owner,
    first_found_at
from proof.difference
where
    proof_id = %(proof_id)s
    and (%(class)s::text is null or class = %(class)s)
    and (%(customer_id)s::text is null or customer_id = %(customer_id)s)
order by is_explained asc, is_repaired asc, abs(amount) desc, position asc
limit %(most)s;
