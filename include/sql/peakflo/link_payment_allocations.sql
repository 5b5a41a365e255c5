-- Point the allocations at an invoice or a credit note that was not known when their payments were merged.
update peakflo.payment_allocation as kept
set target_id = mapped.peakflo_id
from mapping.record as mapped
where
    kept.company_id = %(company_id)s
    and kept.target_id is null
    and kept.target_type = %(mapped_as)s
    and kept.target_source_id = any(%(resolved)b::text[])
    and mapped.realm_id = %(realm_id)s
    and mapped.entity = %(mapped_as)s
    and mapped.qbo_id = kept.target_source_id;
