-- Count the records of an entity that QuickBooks still has, as far as we know: those staged, and those that cannot be
-- stored.
select
    (
        select count(*)
        from staging.record
        where realm_id = %(realm_id)s and entity = %(entity)s and deleted_at is null
    )
    + (
        select count(*)
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
    );
