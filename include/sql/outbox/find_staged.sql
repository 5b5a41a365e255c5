-- Find a payment of ours among what QuickBooks has said, by the marker in its note.
select
    qbo_id,
    sync_token,
    payload::text as payload
from staging.payment
where
    realm_id = %(realm_id)s
    and qbo_updated_at >= %(since)s
    and strpos(payload ->> 'PrivateNote', %(marker)s) > 0
    and qbo_id <> all(%(former)s::text[])
order by qbo_id;
