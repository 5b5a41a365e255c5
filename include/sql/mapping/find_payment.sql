-- Find which QuickBooks payment a payment of Peakflo is.
select qbo_id
from mapping.payment
where realm_id = %(realm_id)s and peakflo_id = %(payment_id)s;
