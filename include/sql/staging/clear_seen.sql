-- Forget which records an earlier reading of an entity met.
delete from staging.import_seen
where realm_id = %(realm_id)s and entity = %(entity)s;
