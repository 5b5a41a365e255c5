-- Ask which records of a page differ from what is staged: 40 bytes a record instead of the record.
select given.qbo_id
from unnest(%(qbo_ids)b::text[], %(hashes)b::bytea[]) as given (qbo_id, content_hash)
where
    given.content_hash is distinct from (
        -- A deleted record differs from all that is read.
        select case when kept.deleted_at is null then kept.content_hash end
        from staging.record as kept
        where kept.realm_id = %(realm_id)s and kept.entity = %(entity)s and kept.qbo_id = given.qbo_id
    );
