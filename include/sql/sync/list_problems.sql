-- List a company's problems of one state, the latest first, with the delivery that each payment's problem is about.
select
    problem.problem_id,
    problem.direction,
    problem.entity,
    problem.qbo_id,
    problem.peakflo_id::text as peakflo_id,
    problem.code,
    problem.message,
    problem.cure,
    problem.actor,
    problem.state,
    problem.attempts,
    problem.first_seen_at,
    problem.last_seen_at,
    problem.resolved_at,
    problem.decision,
    problem.decided_by,
    problem.decided_at,
    delivery.delivery_id
from sync.problem as problem
left join outbox.delivery as delivery
    on
        problem.direction = 'outbound'
        and problem.company_id = delivery.company_id
        and problem.peakflo_id = delivery.payment_id
where
    problem.company_id = %(company_id)s
    and problem.realm_id = %(realm_id)s
    and problem.state = %(state)s
order by problem.last_seen_at desc, problem.problem_id desc
limit %(most)s
offset %(skipped)s;
