-- Read what was decided last about a payment or about deletions, and by whom.
select
    decision.kind as decision,
    decision.decided_by,
    decision.decided_at
from outbox.delivery as delivery
inner join outbox.decision as decision
    on delivery.company_id = decision.company_id and delivery.payment_id = decision.payment_id
where delivery.company_id = %(company_id)s and %(kind)s = 'payment' and delivery.delivery_id = %(asked_id)s
union all
select
    problem.decision,
    problem.decided_by,
    problem.decided_at
from sync.problem as problem
where
    problem.company_id = %(company_id)s
    and %(kind)s = 'deletions'
    and problem.problem_id = %(asked_id)s
    and problem.decided_at is not null
order by decided_at desc
limit 1;
