-- Queue the customers whose payment terms changed their name.
with queued as (
    insert into staging.unmerged (realm_id, entity, qbo_id)
    select
        realm_id,
        entity,
        qbo_id
    from staging.customer
    where
        realm_id = %(realm_id)s
        and payload #>> '{SalesTermRef,value}' = any(%(qbo_ids)b::text[])
    on conflict do nothing
)

select
    %(qbo_ids)b::text[] as resolved,
    0 as merged,
    0 as deleted;
