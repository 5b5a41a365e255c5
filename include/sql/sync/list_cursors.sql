-- Read up to which moment of QuickBooks' clock each entity is known.
select
    entity,
    changed_since
from staging.cursor
where realm_id = %(realm_id)s
order by entity;
