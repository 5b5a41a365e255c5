-- List what each customer owes by either side of a proof; those that differ first.
select
    customer_id,
    name,
    quickbooks,
    peakflo,
    quickbooks - peakflo as difference
from proof.customer
where
    proof_id = %(proof_id)s
    and (%(pattern)s::text is null or name ilike %(pattern)s or customer_id = %(search)s)
    and (not %(is_different)s or quickbooks <> peakflo)
order by abs(quickbooks - peakflo) desc, name asc, customer_id asc
limit %(most)s;
