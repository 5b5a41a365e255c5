-- Tell whether an invoice that waits to be merged is settled otherwise than Peakflo knows, so that payments or credit
-- memos have changed with it. One that is gone settles nothing any more.
select exists(
    select 1
    from staging.unmerged as unmerged
    inner join staging.invoice as staged
        on unmerged.realm_id = staged.realm_id and unmerged.qbo_id = staged.qbo_id
    left join peakflo.invoice as known
        on
            known.company_id = %(company_id)s
            and staged.realm_id = known.realm_id
            and staged.qbo_id = known.source_id
            and known.deleted_at is null
    where
        unmerged.realm_id = %(realm_id)s
        and unmerged.entity = 'invoice'
        and case
            when staged.deleted_at is null
                then staging.amount(staged.payload ->> 'TotalAmt') - staging.amount(staged.payload ->> 'Balance')
            else 0
        end is distinct from coalesce(known.total_amount - known.amount_due, 0)
) as is_settled_otherwise;
