-- Count what is staged of a company's books, by entity.
select
    entity,
    count(*) as records
from staging.seen_record
where realm_id = %(realm_id)s and deleted_at is null
group by entity;
