-- Close the problems of records that are staged and do not wait for their merge; one that cannot be read is closed
-- once it is.
update sync.problem as problem
set
    state = 'resolved',
    resolved_at = now()
where
    problem.company_id = %(company_id)s
    and problem.realm_id = %(realm_id)s
    and problem.direction = 'inbound'
    and problem.code <> 'unreadable'
    and problem.state <> 'resolved'
    and exists (
        select 1
        from staging.record as staged
        where
            staged.realm_id = %(realm_id)s
            and staged.entity = problem.entity
            and staged.qbo_id = problem.qbo_id
    )
    and not exists (
        select 1
        from staging.unmerged as unmerged
        where
            unmerged.realm_id = %(realm_id)s
            and unmerged.entity = problem.entity
            and unmerged.qbo_id = problem.qbo_id
    );
