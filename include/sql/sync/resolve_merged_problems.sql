-- Close the problems of records that were staged after the problem was met and do not wait for their merge.
update sync.problem as problem
set
    state = 'resolved',
    resolved_at = now()
where
    problem.company_id = %(company_id)s
    and problem.realm_id = %(realm_id)s
    and problem.direction = 'inbound'
    and problem.state <> 'resolved'
    and exists (
        select 1
        from staging.record as staged
        inner join sync.run as run on staged.run_id = run.run_id
        where
            staged.realm_id = %(realm_id)s
            and staged.entity = problem.entity
            and staged.qbo_id = problem.qbo_id
            and (problem.code <> 'unreadable' or run.started_at > problem.first_seen_at)
    )
    and not exists (
        select 1
        from staging.unmerged as unmerged
        where
            unmerged.realm_id = %(realm_id)s
            and unmerged.entity = problem.entity
            and unmerged.qbo_id = problem.qbo_id
    );
