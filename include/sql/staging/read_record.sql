-- Read what QuickBooks last said of a record.
select
    sync_token,
    deleted_at is not null as is_deleted,
    payload::text as payload
from staging.record
where realm_id = %(realm_id)s and entity = %(entity)s and qbo_id = %(qbo_id)s;
