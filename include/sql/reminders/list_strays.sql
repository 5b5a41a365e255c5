-- List the records that are staged or even refused and not merged, or were not read since it mattered, so that what is
-- merged of them is old; whose they are, and how much they may ask for, as far as that can be told.
with waiting as (
    select
        unmerged.entity,
        unmerged.qbo_id,
        false as is_unreadable
    from staging.unmerged as unmerged
    where unmerged.realm_id = %(realm_id)s and staging.has_owner(unmerged.entity)
    union
    select
        entity,
        qbo_id,
        code = 'unreadable' as is_unreadable
    from sync.problem
    where
        company_id = %(company_id)s
        and realm_id = %(realm_id)s
        and direction = 'inbound'
        and state <> 'resolved'
        and staging.has_owner(entity)
)

select
    waiting.entity,
    waiting.qbo_id,
    mapped.peakflo_id as customer_id,
    case when not waiting.is_unreadable then staging.amount(record.payload ->> 'TotalAmt') end as amount
from waiting
left join staging.record as record
    on
        record.realm_id = %(realm_id)s
        and waiting.entity = record.entity
        and waiting.qbo_id = record.qbo_id
left join mapping.customer as mapped
    on
        mapped.realm_id = %(realm_id)s
        and mapped.qbo_id
        = case waiting.entity
            when 'customer' then waiting.qbo_id
            else record.payload #>> '{CustomerRef,value}'
        end
union all
-- What could not be read may be anybody's by now, and so may be what a customer had that went.
select
    entity,
    qbo_id,
    null as customer_id,
    null as amount
from (
    select
        entity,
        qbo_id
    from waiting
    where is_unreadable and entity <> 'customer'
    union all
    select
        entity,
        qbo_id
    from peakflo.left_behind(%(company_id)s, %(realm_id)s)
) as anybodys;
