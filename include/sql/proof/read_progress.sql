-- Read how far the records of each entity have been compared.
select
    entity,
    created_since,
    finished_at
from proof.progress
where realm_id = %(realm_id)s;
