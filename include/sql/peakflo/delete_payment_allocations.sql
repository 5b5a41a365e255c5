-- Delete what staged payments no longer settle: all of a payment that is not active, else what is beyond the last link.
delete from peakflo.payment_allocation as kept
using mapping.payment as mapped
where
    mapped.realm_id = %(realm_id)s
    and mapped.qbo_id = any(%(resolved)b::text[])
    and mapped.origin = 'quickbooks'
    and kept.company_id = %(company_id)s
    and kept.payment_id = mapped.peakflo_id
    and kept.position > (
        select count(linked.item)
        from staging.payment as staged
        cross join lateral jsonb_array_elements(staged.payload -> 'Line') as line (item)
        cross join lateral jsonb_array_elements(line.item -> 'LinkedTxn') as linked (item)
        where
            staged.realm_id = %(realm_id)s
            and staged.qbo_id = mapped.qbo_id
            and staged.deleted_at is null
    );
