-- List the records of an answer that say something else than what is staged and was not read later, apart from their
-- version and times.
select given.qbo_id
from unnest(%(qbo_ids)b::text[], %(hashes)b::bytea[], %(payloads)b::bytea[]) as given (qbo_id, content_hash, payload)
inner join staging.record as kept
    on kept.realm_id = %(realm_id)s and kept.entity = %(entity)s and given.qbo_id = kept.qbo_id
where
    kept.content_hash <> given.content_hash
    and kept.deleted_at is null
    and kept.read_at <= %(read_at)s
    and kept.payload - array['MetaData', 'SyncToken']
    is distinct from convert_from(given.payload, 'UTF8')::jsonb - array['MetaData', 'SyncToken'];
