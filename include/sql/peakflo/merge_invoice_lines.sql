-- Bring the lines of staged invoices into peakflo.invoice_line: the items and texts of the invoice, those inside a
-- group in its place; subtotals and discounts are amounts of the invoice, not lines.
with staged as materialized (
    select
        qbo_id,
        payload
    from staging.invoice
    where realm_id = %(realm_id)s and qbo_id = any(%(resolved)b::text[])
),

line as (
    select
        staged.qbo_id,
        coalesce(member.item, line.item) as item,
        row_number() over (
            partition by staged.qbo_id
            order by line.ordinal, member.ordinal
        ) as position
    from staged
    cross join lateral jsonb_array_elements(staged.payload -> 'Line') with ordinality as line (item, ordinal)
    left join lateral jsonb_array_elements(line.item #> '{GroupLineDetail,Line}') with ordinality as member (
        item, ordinal
    ) on true
    where coalesce(member.item, line.item) ->> 'DetailType' in ('SalesItemLineDetail', 'DescriptionOnly')
)

insert into peakflo.invoice_line as kept (
    company_id, invoice_id, position, description, quantity, unit_amount, discount_amount, tax_amount, total_amount,
    item_ref
)
select
    %(company_id)s as company_id,
    (
        select mapped.peakflo_id
        from mapping.invoice as mapped
        where mapped.realm_id = %(realm_id)s and mapped.qbo_id = line.qbo_id
    ) as invoice_id,
    line.position,
    line.item ->> 'Description' as description,
    (line.item #>> '{SalesItemLineDetail,Qty}')::numeric as quantity,
    (line.item #>> '{SalesItemLineDetail,UnitPrice}')::numeric as unit_amount,
    coalesce((line.item #>> '{SalesItemLineDetail,DiscountAmt}')::numeric, 0) as discount_amount,
    null as tax_amount,
    (line.item ->> 'Amount')::numeric as total_amount,
    line.item #>> '{SalesItemLineDetail,ItemRef,value}' as item_ref
from line
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
