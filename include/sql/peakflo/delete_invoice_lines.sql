-- Delete the lines that staged invoices no longer have: those beyond the last one.
delete from peakflo.invoice_line as kept
using mapping.invoice as mapped
where
    mapped.realm_id = %(realm_id)s
    and mapped.qbo_id = any(%(resolved)b::text[])
    and kept.company_id = %(company_id)s
    and kept.invoice_id = mapped.peakflo_id
    and kept.position > (
        select count(*)
        from staging.invoice as staged
        cross join lateral jsonb_array_elements(staged.payload -> 'Line') as line (item)
        left join lateral jsonb_array_elements(line.item #> '{GroupLineDetail,Line}') as member (item) on true
        where
            staged.realm_id = %(realm_id)s
            and staged.qbo_id = mapped.qbo_id
            and coalesce(member.item, line.item) ->> 'DetailType' in ('SalesItemLineDetail', 'DescriptionOnly')
    );
