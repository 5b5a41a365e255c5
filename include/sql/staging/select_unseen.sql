-- List the live records that a reading of all did not meet: those staged before it began, and those that cannot be
-- stored.
with known as (
    select qbo_id
    from staging.record
    where
        realm_id = %(realm_id)s
        and entity = %(entity)s
        and deleted_at is null
        and read_at < %(started_at)s
    union
    select problem.qbo_id
    from sync.problem as problem
    where
        problem.realm_id = %(realm_id)s
        and problem.direction = 'inbound'
        and problem.entity = %(entity)s
        and problem.code = 'unreadable'
        and problem.state <> 'resolved'
        and not exists (
            select 1
            from staging.record as staged
            where
                staged.realm_id = %(realm_id)s
                and staged.entity = %(entity)s
                and staged.qbo_id = problem.qbo_id
        )
)

-- A set operation: an anti-join goes by statistics, which the filling of import_seen leaves behind.
select qbo_id
from known
except
select unnest(qbo_ids) as qbo_id
from staging.import_seen
where realm_id = %(realm_id)s and entity = %(entity)s
order by qbo_id;
