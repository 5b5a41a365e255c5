-- List what waits to be merged, in portions that start after a record.
select qbo_id
from staging.unmerged
where realm_id = %(realm_id)s and entity = %(entity)s and qbo_id > %(after)s
order by qbo_id
limit %(portion)s;
