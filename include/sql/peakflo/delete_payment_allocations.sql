-- Delete what staged payments no longer settle: all of a payment that is not active, else what is beyond the last link.
delete from peakflo.payment_allocation as kept
where
    kept.company_id = %(company_id)s
    and kept.payment_id = any(
        array(
            select mapped.peakflo_id
            from mapping.payment as mapped
            where
                mapped.realm_id = %(realm_id)s
                and mapped.qbo_id = any(%(resolved)b::text[])
                and mapped.origin = 'quickbooks'
        )
    )
    and kept.position > (
        -- Its own lines only: those of another payment, which may be odd, are not even looked at.
        with own as materialized (
            select staged.payload -> 'Line' as lines
            from mapping.payment as mapped
            inner join staging.payment as staged
                on mapped.realm_id = staged.realm_id and mapped.qbo_id = staged.qbo_id
            where
                mapped.realm_id = %(realm_id)s
                and mapped.peakflo_id = kept.payment_id
                and staged.deleted_at is null
        )

        select count(linked.item)
        from own
        cross join lateral jsonb_array_elements(own.lines) as line (item)
        cross join lateral jsonb_array_elements(line.item -> 'LinkedTxn') as linked (item)
    );
