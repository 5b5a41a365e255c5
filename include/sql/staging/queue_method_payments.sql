-- Queue the payments whose payment method changed its name.
with queued as (
    insert into staging.unmerged (realm_id, entity, qbo_id)
    select
        realm_id,
        entity,
        qbo_id
    from staging.payment
    where
        realm_id = %(realm_id)s
        and payload #>> '{PaymentMethodRef,value}' = any(%(qbo_ids)b::text[])
    on conflict do nothing
)

select
    %(qbo_ids)b::text[] as resolved,
    0 as merged,
    0 as deleted;
