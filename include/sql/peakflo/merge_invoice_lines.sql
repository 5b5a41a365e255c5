-- Bring the lines of staged invoices into peakflo.invoice_line; a discount is an amount of the invoice, not a line.
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
        part.item,
        row_number() over (
            partition by staged.qbo_id
            order by part.ordinal
        ) as position
    from staged
    cross join lateral staging.invoice_lines(staged.payload) as part
    where not part.is_discount
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
    coalesce(
        line.item #>> '{SalesItemLineDetail,Qty}', line.item #>> '{GroupLineDetail,Quantity}'
    )::staging.number as quantity,
    (line.item #>> '{SalesItemLineDetail,UnitPrice}')::staging.number as unit_amount,
    coalesce((line.item #>> '{SalesItemLineDetail,DiscountAmt}')::staging.number, 0) as discount_amount,
    null as tax_amount,
    (line.item ->> 'Amount')::staging.number as total_amount,
    coalesce(
        line.item #>> '{SalesItemLineDetail,ItemRef,value}', line.item #>> '{GroupLineDetail,GroupItemRef,value}'
    ) as item_ref
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
