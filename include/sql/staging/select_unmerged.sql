-- List what waits to be merged of one entity.
select qbo_id
from staging.unmerged
where realm_id = %(realm_id)s and entity = %(entity)s
order by qbo_id;
