-- Take another record of QuickBooks' for the payment no more that a delivery turned out to be; it stays Peakflo's.
update mapping.record as mapped
set peakflo_id = mapping.peakflo_id(mapped.realm_id, mapped.entity, mapped.qbo_id)
from outbox.delivery as delivery
where
    delivery.delivery_id = %(delivery_id)s
    and mapped.realm_id = delivery.realm_id
    and mapped.entity = 'payment'
    and mapped.peakflo_id = delivery.payment_id
    and mapped.qbo_id <> %(qbo_id)s;
