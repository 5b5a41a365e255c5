-- List the live records that an import did not meet although they had been staged before it began.
select staged.qbo_id
from staging.record as staged
where
    staged.realm_id = %(realm_id)s
    and staged.entity = %(entity)s
    and staged.deleted_at is null
    and staged.read_at < %(started_at)s
    and not exists (
        select 1
        from staging.import_seen as seen
        where seen.realm_id = %(realm_id)s and seen.entity = %(entity)s and seen.qbo_id = staged.qbo_id
    )
order by staged.qbo_id;
