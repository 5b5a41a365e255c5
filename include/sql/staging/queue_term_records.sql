-- Queue what leans on payment terms that changed: the customers, and the invoices that have no due date of their own.
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
    union all
    select
        staged.realm_id,
        staged.entity,
        staged.qbo_id
    from peakflo.invoice as kept
    inner join staging.invoice as staged on kept.realm_id = staged.realm_id and kept.source_id = staged.qbo_id
    where
        kept.company_id = %(company_id)s
        and kept.realm_id = %(realm_id)s
        and kept.due_date_basis in ('terms', 'issue_date')
        and staged.payload #>> '{SalesTermRef,value}' = any(%(qbo_ids)b::text[])
    on conflict do nothing
)

select
    %(qbo_ids)b::text[] as resolved,
    0 as merged,
    0 as deleted;
