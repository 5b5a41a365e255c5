-- Move the cursor of the entities to QuickBooks' time of the answer just staged; it never goes back.
insert into staging.cursor as kept (realm_id, entity, changed_since)
select
    %(realm_id)s as realm_id,
    entity,
    %(changed_since)s as changed_since
from unnest(%(entities)b::text[]) as given (entity)
on conflict (realm_id, entity) do update
    set changed_since = excluded.changed_since
    where kept.changed_since < excluded.changed_since;
