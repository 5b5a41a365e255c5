-- List the live records that an import did not meet although they had been staged before it began.
select qbo_id
from staging.record
where
    realm_id = %(realm_id)s
    and entity = %(entity)s
    and deleted_at is null
    and read_at < %(started_at)s
except
select qbo_id
from staging.import_seen
where realm_id = %(realm_id)s and entity = %(entity)s
order by qbo_id;
