-- Find who may pay what customers owe, they and all whom they are sub-customers of, and who is billed together with
-- them: the members of the family whose head gets the bill. The nearest first. QuickBooks allows five levels; a chain
-- that ends in itself must not go on for ever.
with recursive payer as (
    select
        given.id as customer_id,
        given.id,
        0 as level,
        true as is_billed
    from unnest(%(customer_ids)b::uuid[]) as given (id)
    union all
    select
        payer.customer_id,
        customer.parent_id as id,
        payer.level + 1 as level,
        payer.is_billed and customer.bill_with_parent as is_billed
    from payer
    inner join peakflo.customer as customer
        on customer.company_id = %(company_id)s and payer.id = customer.id
    where customer.parent_id is not null and payer.level < 9
),

head as (
    select distinct on (customer_id)
        customer_id,
        id
    from payer
    where is_billed and level > 0
    order by customer_id asc, level desc
),

member as (
    select
        given.id as head_id,
        given.id,
        0 as level,
        true as is_billed
    from (select distinct head.id from head) as given
    union all
    select
        member.head_id,
        customer.id,
        member.level + 1 as level,
        member.is_billed and customer.bill_with_parent as is_billed
    from member
    inner join peakflo.customer as customer
        on customer.company_id = %(company_id)s and member.id = customer.parent_id
    where member.level < 9
)

select
    'payer' as role,
    customer_id as of_id,
    id,
    level,
    is_billed
from payer
union all
select
    'member' as role,
    head_id as of_id,
    id,
    level,
    is_billed
from member
union all
select
    'head' as role,
    customer_id as of_id,
    id,
    0 as level,
    true as is_billed
from head
order by level;
