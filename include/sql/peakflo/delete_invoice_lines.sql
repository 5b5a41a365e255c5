-- Delete the lines that staged invoices no longer have: those beyond the last one.
delete from peakflo.invoice_line as kept
where
    kept.company_id = %(company_id)s
    and kept.invoice_id = any(
        array(
            select mapped.peakflo_id
            from mapping.invoice as mapped
            where mapped.realm_id = %(realm_id)s and mapped.qbo_id = any(%(resolved)b::text[])
        )
    )
    and kept.position > (
        select count(line.item)
        from mapping.invoice as mapped
        inner join staging.invoice as staged on mapped.realm_id = staged.realm_id and mapped.qbo_id = staged.qbo_id
        cross join lateral staging.invoice_lines(staged.payload) as line
        where mapped.realm_id = %(realm_id)s and mapped.peakflo_id = kept.invoice_id and not line.is_discount
    );
