-- List what waits to be merged, by entity.
select
    entity,
    array_agg(qbo_id order by qbo_id) as qbo_ids
from staging.unmerged
where realm_id = %(realm_id)s
group by entity;
