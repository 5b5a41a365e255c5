-- Find the customers of invoices, as staged, and all whom they are sub-customers of.
with recursive customer as (
    select invoice.payload #>> '{CustomerRef,value}' as qbo_id
    from staging.invoice as invoice
    where invoice.realm_id = %(realm_id)s and invoice.qbo_id = any(%(qbo_ids)b::text[])
    union
    select sub_customer.payload #>> '{ParentRef,value}' as qbo_id
    from customer
    inner join staging.customer as sub_customer
        on sub_customer.realm_id = %(realm_id)s and customer.qbo_id = sub_customer.qbo_id
)

select qbo_id
from customer
where qbo_id is not null
order by qbo_id;
