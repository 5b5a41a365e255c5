-- List the records that are staged but could not be merged, without those whose problem is known already; one that was
-- ignored is known as long as its record is the same.
select
    unmerged.entity,
    unmerged.qbo_id
from staging.unmerged as unmerged
where
    unmerged.realm_id = %(realm_id)s
    and unmerged.entity = any(%(entities)b::text[])
    and not exists (
        select 1
        from sync.problem as problem
        where
            problem.company_id = %(company_id)s
            and problem.realm_id = %(realm_id)s
            and problem.direction = 'inbound'
            and problem.entity = unmerged.entity
            and problem.qbo_id = unmerged.qbo_id
            and (
                problem.state = 'open'
                or (
                    problem.state = 'ignored'
                    and problem.ignored_version is not distinct from sync.record_version(problem)
                )
            )
    );
