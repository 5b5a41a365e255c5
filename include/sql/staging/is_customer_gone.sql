-- Tell whether a customer that waits to be merged has gone: it may have been merged into another one, with all it had.
select exists(
    select
    from staging.unmerged as unmerged
    inner join staging.customer as staged
        on unmerged.realm_id = staged.realm_id and unmerged.qbo_id = staged.qbo_id
    where
        unmerged.realm_id = %(realm_id)s
        and unmerged.entity = 'customer'
        and staging.is_gone(staged.deleted_at, staged.payload)
) as is_customer_gone;
