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
    delivery.delivery_id,
    delivery.state as delivery_state
from sync.problem as problem
left join lateral (
    select
        waiting.delivery_id,
        waiting.state
    from outbox.delivery as waiting
    where
        problem.direction = 'outbound'
        and waiting.company_id = problem.company_id
        and waiting.payment_id = problem.peakflo_id
    -- Of a payment's deliveries, the one that waits for a person.
    order by
        waiting.state in ('possible_orphan', 'rejected') desc,
        waiting.state <> 'delivered' desc,
        waiting.leg desc,
        waiting.delivery_id asc
    limit 1
) as delivery on true
where
    problem.company_id = %(company_id)s
    and problem.realm_id = %(realm_id)s
    and problem.state = %(state)s
order by problem.last_seen_at desc, problem.problem_id desc
limit %(most)s
offset %(skipped)s;
