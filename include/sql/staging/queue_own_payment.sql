-- Queue what QuickBooks has of a payment that Peakflo sent to be looked at again.
insert into staging.unmerged (realm_id, entity, qbo_id)
select
    realm_id,
    'payment' as entity,
    qbo_id
from mapping.payment
where realm_id = %(realm_id)s and peakflo_id = %(peakflo_id)s
on conflict do nothing;
