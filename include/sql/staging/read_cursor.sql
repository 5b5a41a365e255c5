-- Read from when on to ask for changes: the oldest cursor of the entities, null if one has none yet.
select case when count(*) = cardinality(%(entities)b::text[]) then min(changed_since) end
from staging.cursor
where realm_id = %(realm_id)s and entity = any(%(entities)b::text[]);
