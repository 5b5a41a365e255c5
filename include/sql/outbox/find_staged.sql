-- Find a payment of ours among what QuickBooks has said, by the reference that only it carries.
select
    qbo_id,
    sync_token,
    payload::text as payload
from staging.payment
where
    realm_id = %(realm_id)s
    and qbo_updated_at >= %(since)s
    and payload ->> 'PaymentRefNum' = %(ref_num)s
order by qbo_id;
