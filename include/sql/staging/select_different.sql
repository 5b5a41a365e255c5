-- Ask which records of a page differ from what is staged, 40 bytes a record instead of the record, and which of those
-- are known in another version. A deleted record differs from all that is read.
with given as (
    select
        qbo_id,
        content_hash,
        -- A look-up per record, whatever the planner believes of a table that is being filled.
        (
            select case when kept.deleted_at is null then kept.content_hash else '' end
            from staging.record as kept
            where kept.realm_id = %(realm_id)s and kept.entity = %(entity)s and kept.qbo_id = page.qbo_id
        ) as kept_hash
    from unnest(%(qbo_ids)b::text[], %(hashes)b::bytea[]) as page (qbo_id, content_hash)
)

select
    qbo_id,
    kept_hash is not null as is_known
from given
where kept_hash is distinct from content_hash;
