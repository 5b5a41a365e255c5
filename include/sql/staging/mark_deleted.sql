-- Mark records as deleted in QuickBooks, keeping the last payload; one never seen alive is kept as a stub,
-- so that it is not asked for again.
with given as (
    select
        qbo_id,
        least(deleted_at, date_trunc('second', %(read_at)s::timestamptz)) as deleted_at
    from unnest(%(qbo_ids)b::text[], %(deleted_ats)b::timestamptz[]) as given (qbo_id, deleted_at)
),

compared as materialized (
    select
        given.*,
        (
            select kept
            from staging.record as kept
            where kept.realm_id = %(realm_id)s and kept.entity = %(entity)s and kept.qbo_id = given.qbo_id
        ) as kept
    from given
)

insert into staging.record as kept (
    realm_id, entity, qbo_id, sync_token, qbo_updated_at, deleted_at, content_hash, payload, read_at, run_id
)
select
    %(realm_id)s as realm_id,
    %(entity)s as entity,
    qbo_id,
    0 as sync_token,
    deleted_at as qbo_updated_at,
    deleted_at,
    '' as content_hash,
    jsonb_build_object('Id', qbo_id, 'status', 'Deleted') as payload,
    %(read_at)s as read_at,
    %(run_id)s as run_id
from compared
where
    (kept).qbo_id is null
    or (
        (kept).deleted_at is null
        and deleted_at >= (kept).qbo_updated_at
        and %(read_at)s::timestamptz >= (kept).read_at
    )
on conflict (realm_id, qbo_id, entity) do update
    set
        qbo_updated_at = excluded.qbo_updated_at,
        deleted_at = excluded.deleted_at,
        read_at = excluded.read_at,
        run_id = excluded.run_id;
