-- Queue everything staged for a realm, to merge it all again.
insert into staging.unmerged (realm_id, entity, qbo_id)
select
    realm_id,
    entity,
    qbo_id
from staging.seen_record
where realm_id = %(realm_id)s
on conflict do nothing;
