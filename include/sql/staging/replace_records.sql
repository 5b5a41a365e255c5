-- Replace staged records by the versions that came, where those are newer and say something else. A version's counter
-- outranks its time: clocks differ and are set back.
-- A deleted record comes back only if it was read alive after its deletion was: changed since, or unchanged but so much
-- later that no index of QuickBooks' still lags behind (it had been reported as gone by mistake).
with given as materialized (
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
    ) as page (qbo_id, sync_token, updated_at, content_hash, payload)
)

update staging.record as kept
set
    sync_token = given.sync_token,
    qbo_updated_at = given.qbo_updated_at,
    deleted_at = null,
    content_hash = given.content_hash,
    payload = given.payload,
    read_at = %(read_at)s,
    run_id = %(run_id)s
from given
where
    kept.realm_id = %(realm_id)s
    and kept.entity = %(entity)s
    -- Said twice, so that the records are found by index whatever the statistics say.
    and kept.qbo_id = any(%(qbo_ids)b::text[])
    and kept.qbo_id = given.qbo_id
    and (
        (
            kept.deleted_at is null
            and kept.payload is distinct from given.payload
            and (given.sync_token, given.qbo_updated_at, %(read_at)s::timestamptz)
            > (kept.sync_token, kept.qbo_updated_at, kept.read_at)
        )
        or (
            kept.deleted_at is not null
            and %(read_at)s::timestamptz > kept.read_at
            and (
                given.qbo_updated_at >= kept.qbo_updated_at
                or %(read_at)s::timestamptz > kept.read_at + interval '10 minutes'
            )
        )
    );
