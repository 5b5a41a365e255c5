-- Stage records as they came; the newer version wins, and one that says nothing new is left out before the
-- insert, because ON CONFLICT would lock and log its row all the same.
-- A deleted record comes back only if it was read alive after its deletion was.
with given as (
    select
        qbo_id,
        sync_token,
        least(updated_at, date_trunc('second', %(read_at)s::timestamptz)) as qbo_updated_at,
        content_hash,
        convert_from(payload, 'UTF8')::jsonb as payload
    from unnest(
        %(qbo_ids)b::text[],
        %(sync_tokens)b::integer[],
        %(updated_ats)b::timestamptz[],
        %(hashes)b::bytea[],
        %(payloads)b::bytea[]
    ) as given (qbo_id, sync_token, updated_at, content_hash, payload)
),

news as (
    select given.*
    from given
    left join staging.record as kept
        on kept.realm_id = %(realm_id)s and kept.entity = %(entity)s and given.qbo_id = kept.qbo_id
    where
        kept.qbo_id is null
        or (
            kept.deleted_at is null
            and kept.payload is distinct from given.payload
            and (given.qbo_updated_at, given.sync_token, %(read_at)s::timestamptz)
            > (kept.qbo_updated_at, kept.sync_token, kept.read_at)
        )
        or (
            kept.deleted_at is not null
            and given.qbo_updated_at >= kept.qbo_updated_at
            and %(read_at)s::timestamptz > kept.read_at
        )
)

insert into staging.record as kept (
    realm_id, entity, qbo_id, sync_token, qbo_updated_at, content_hash, payload, read_at, run_id
)
select
    %(realm_id)s as realm_id,
    %(entity)s as entity,
    qbo_id,
    sync_token,
    qbo_updated_at,
    content_hash,
    payload,
    %(read_at)s as read_at,
    %(run_id)s as run_id
from news
on conflict (realm_id, qbo_id, entity) do update
    set
        sync_token = excluded.sync_token,
        qbo_updated_at = excluded.qbo_updated_at,
        deleted_at = null,
        content_hash = excluded.content_hash,
        payload = excluded.payload,
        read_at = excluded.read_at,
        run_id = excluded.run_id;
