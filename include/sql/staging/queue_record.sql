-- Queue one staged record to be merged again.
insert into staging.unmerged (realm_id, entity, qbo_id)
select
    realm_id,
    entity,
    qbo_id
from staging.seen_record
where realm_id = %(realm_id)s and entity = %(entity)s and qbo_id = %(qbo_id)s
on conflict do nothing;
