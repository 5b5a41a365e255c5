-- Note when the books changed last, of what waits to be merged. Accounts do not count: what QuickBooks books on one
-- stamps it, and no event tells of that.
insert into sync.webhook_proof as kept (realm_id, changed_at)
select
    unmerged.realm_id,
    max(record.qbo_updated_at) as changed_at
from staging.unmerged as unmerged
inner join staging.record as record
    on
        unmerged.realm_id = record.realm_id
        and unmerged.entity = record.entity
        and unmerged.qbo_id = record.qbo_id
where
    unmerged.realm_id = %(realm_id)s
    and unmerged.entity in ('customer', 'invoice', 'payment', 'credit_memo')
group by unmerged.realm_id
on conflict (realm_id) do update
    set changed_at = excluded.changed_at
    where kept.changed_at is null or kept.changed_at < excluded.changed_at;
