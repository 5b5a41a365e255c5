-- List the records, by their Ids, that Peakflo refuses and that have waited for some time, and let them wait anew.
with again as (
    update staging.unmerged as waiting
    set queued_at = now()
    from sync.problem as problem
    where
        waiting.realm_id = %(realm_id)s
        and waiting.queued_at <= now() - %(older_than)s::interval
        and problem.company_id = %(company_id)s
        and problem.realm_id = waiting.realm_id
        and problem.direction = 'inbound'
        and problem.entity = waiting.entity
        and problem.qbo_id = waiting.qbo_id
        and problem.code = 'unmergeable'
        and problem.state <> 'resolved'
    returning
        waiting.entity,
        waiting.qbo_id
)

select
    entity,
    array_agg(qbo_id order by qbo_id) as qbo_ids
from again
group by entity
order by entity;
