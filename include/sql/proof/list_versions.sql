-- List in which version each record that is about money is staged.
select
    entity,
    qbo_id,
    encode(content_hash, 'hex') || coalesce(deleted_at::text, '') as version
from staging.record
where realm_id = %(realm_id)s and entity in ('account', 'customer', 'invoice', 'credit_memo', 'payment');
