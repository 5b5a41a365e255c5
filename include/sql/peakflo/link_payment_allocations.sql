-- Point the allocations at an invoice or a credit note that was not known when their payments were merged. Other books
-- of the company may have a record of the same Id.
update peakflo.payment_allocation as kept
set target_id = mapped.peakflo_id
from mapping.record as mapped, peakflo.payment as payment
where
    kept.company_id = %(company_id)s
    and kept.target_id is null
    and kept.target_type = %(mapped_as)s
    and kept.target_source_id = any(%(resolved)b::text[])
    and payment.company_id = kept.company_id
    and payment.id = kept.payment_id
    and payment.realm_id = %(realm_id)s
    and mapped.realm_id = %(realm_id)s
    and mapped.entity = %(mapped_as)s
    and mapped.qbo_id = kept.target_source_id;
