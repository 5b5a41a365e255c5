-- Read how far an unfinished import has come.
select
    entity,
    created_since,
    start_position,
    last_ids,
    records_read,
    started_at,
    finished_at
from staging.import_progress
where realm_id = %(realm_id)s;
