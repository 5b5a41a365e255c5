-- List the records that are staged but could not be merged, without those whose problem is known already.
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
            and problem.state <> 'resolved'
    );
