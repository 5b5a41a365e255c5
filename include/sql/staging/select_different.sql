-- Ask which records of a page differ from what is staged: 40 bytes a record instead of the record.
select given.qbo_id
from unnest(%(qbo_ids)b::text[], %(hashes)b::bytea[]) as given (qbo_id, content_hash)
left join staging.record as kept
    on kept.realm_id = %(realm_id)s and kept.entity = %(entity)s and given.qbo_id = kept.qbo_id
where kept.content_hash is distinct from given.content_hash or kept.deleted_at is not null;
