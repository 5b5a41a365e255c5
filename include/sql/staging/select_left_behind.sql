-- List the records that Peakflo has under customers that have gone, and that were not read since: merging a customer
-- into another one gives them to that one.
select
    entity,
    array_agg(qbo_id order by qbo_id) as qbo_ids
from peakflo.left_behind(%(company_id)s, %(realm_id)s)
group by entity
order by entity;
