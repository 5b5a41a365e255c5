-- Note which records an import has met, so that those that vanished can be told.
insert into staging.import_seen (realm_id, entity, qbo_id)
select
    %(realm_id)s as realm_id,
    %(entity)s as entity,
    qbo_id
from unnest(%(qbo_ids)b::text[]) as given (qbo_id)
on conflict do nothing;
