-- Record what a person decided about a problem, if it is in a state that allows it. One that is open again already is
-- not opened a second time.
update sync.problem as problem
set
    state = %(state)s,
    decision = %(decision)s,
    decided_by = %(decided_by)s,
    decided_at = now(),
    resolved_at = case when %(state)s = 'resolved' then now() end
where
    problem.company_id = %(company_id)s
    and problem.problem_id = %(problem_id)s
    and problem.state = any(%(expected)s::text[])
    and not exists (
        select 1
        from sync.problem as newer
        where
            newer.company_id = problem.company_id
            and newer.realm_id = problem.realm_id
            and newer.direction = problem.direction
            and newer.entity = problem.entity
            and newer.qbo_id = problem.qbo_id
            and newer.code = problem.code
            and newer.peakflo_id is not distinct from problem.peakflo_id
            and newer.state <> 'resolved'
            and newer.problem_id <> problem.problem_id
    )
returning problem.problem_id;
