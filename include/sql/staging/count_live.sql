-- Count the records of an entity that QuickBooks still has, as far as staging knows.
select count(*)
from staging.record
where realm_id = %(realm_id)s and entity = %(entity)s and deleted_at is null;
