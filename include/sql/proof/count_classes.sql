-- Count the differences of a proof by class, with what they come to.
select
    class,
    count(*) as differences,
    count(*) filter (where is_repaired) as repaired,
    sum(abs(amount)) as amount
from proof.difference
where proof_id = %(proof_id)s
group by class
order by class;
