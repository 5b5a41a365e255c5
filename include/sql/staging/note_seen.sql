-- Note which records an import has met, so that those that vanished can be told.
insert into staging.import_seen (realm_id, entity, qbo_ids)
values (%(realm_id)s, %(entity)s, %(qbo_ids)b);
