-- Bring the lines of staged invoices into peakflo.invoice_line: the items and texts of the invoice, those inside a
-- group in its place; subtotals and discounts are amounts of the invoice, not lines.
with line as (
    select
        mapped.peakflo_id as invoice_id,
        coalesce(member.item, line.item) as item,
        row_number() over (
            partition by mapped.peakflo_id
            order by line.ordinal, member.ordinal
        ) as position
    from staging.invoice as staged
    inner join mapping.invoice as mapped on staged.realm_id = mapped.realm_id and staged.qbo_id = mapped.qbo_id
    cross join lateral jsonb_array_elements(staged.payload -> 'Line') with ordinality as line (item, ordinal)
    left join lateral jsonb_array_elements(line.item #> '{GroupLineDetail,Line}') with ordinality as member (
        item, ordinal
    ) on true
    where
        staged.realm_id = %(realm_id)s
        and staged.qbo_id = any(%(resolved)b::text[])
        and coalesce(member.item, line.item) ->> 'DetailType' in ('SalesItemLineDetail', 'DescriptionOnly')
),

source as (
    select
        invoice_id,
        position,
        item ->> 'Description' as description,
        (item #>> '{SalesItemLineDetail,Qty}')::numeric as quantity,
        (item #>> '{SalesItemLineDetail,UnitPrice}')::numeric as unit_amount,
        coalesce((item #>> '{SalesItemLineDetail,DiscountAmt}')::numeric, 0) as discount_amount,
        null::numeric as tax_amount,
        (item ->> 'Amount')::numeric as total_amount,
        item #>> '{SalesItemLineDetail,ItemRef,value}' as item_ref
    from line
),

vanished as (
    delete from peakflo.invoice_line as kept
    using mapping.invoice as mapped
    where
        kept.company_id = %(company_id)s
        and kept.invoice_id = mapped.peakflo_id
        and mapped.realm_id = %(realm_id)s
        and mapped.qbo_id = any(%(resolved)b::text[])
        and not exists (
            select 1
            from source
            where source.invoice_id = kept.invoice_id and source.position = kept.position
        )
)

insert into peakflo.invoice_line as kept (
    company_id, invoice_id, position, description, quantity, unit_amount, discount_amount, tax_amount, total_amount,
    item_ref
)
select
    %(company_id)s as company_id,
    invoice_id,
    position,
    description,
    quantity,
    unit_amount,
    discount_amount,
    tax_amount,
    total_amount,
    item_ref
from source
on conflict (company_id, invoice_id, position) do update
    set
        description = excluded.description,
        quantity = excluded.quantity,
        unit_amount = excluded.unit_amount,
        discount_amount = excluded.discount_amount,
        tax_amount = excluded.tax_amount,
        total_amount = excluded.total_amount,
        item_ref = excluded.item_ref
    where kept.* is distinct from excluded.*;
