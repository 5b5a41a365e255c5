-- Count which of the records reported as deleted are alive in staging, beside all that are alive there.
select
    count(*) filter (where qbo_id = any(%(qbo_ids)b::text[])) as deleted,
    count(*) as alive
from staging.record
where realm_id = %(realm_id)s and entity = %(entity)s and deleted_at is null;
