-- Queue staged records to be merged again.
insert into staging.unmerged (realm_id, entity, qbo_id)
select
    staged.realm_id,
    staged.entity,
    staged.qbo_id
from unnest(%(entities)b::text[], %(qbo_ids)b::text[]) as wanted (entity, qbo_id)
inner join staging.record as staged
    on staged.realm_id = %(realm_id)s and wanted.entity = staged.entity and wanted.qbo_id = staged.qbo_id
on conflict do nothing;
