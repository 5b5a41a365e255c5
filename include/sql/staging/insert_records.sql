-- Stage records that are not known yet, as they came.
insert into staging.record (
    realm_id, entity, qbo_id, sync_token, qbo_updated_at, content_hash, payload, read_at, run_id
)
select
    %(realm_id)s as realm_id,
    %(entity)s as entity,
    qbo_id,
    sync_token,
    least(updated_at, date_trunc('second', %(read_at)s::timestamptz)) as qbo_updated_at,
    content_hash,
    convert_from(payload, 'UTF8')::jsonb as payload,
    %(read_at)s as read_at,
    %(run_id)s as run_id
from unnest(
    %(qbo_ids)b::text[],
    %(sync_tokens)b::integer[],
    %(updated_ats)b::timestamptz[],
    %(hashes)b::bytea[],
    %(payloads)b::bytea[]
) as given (qbo_id, sync_token, updated_at, content_hash, payload);
