-- List the records, by their Ids, that could not be read when they were read last, some time ago.
select
    entity,
    array_agg(qbo_id order by qbo_id) as qbo_ids
from sync.problem
where
    company_id = %(company_id)s
    and realm_id = %(realm_id)s
    and direction = 'inbound'
    and code = 'unreadable'
    and state <> 'resolved'
    and qbo_id not like 'no Id, %%'
    and last_seen_at <= now() - %(older_than)s::interval
group by entity
order by entity;
