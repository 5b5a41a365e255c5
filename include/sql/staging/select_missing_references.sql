-- List the records that waiting ones point at and that are not staged, to be read by Id before the merge. Those that
-- could not be read are asked for now and then by themselves.
with waiting as (
    select
        staged.entity,
        staged.payload
    from staging.unmerged as unmerged
    inner join staging.record as staged
        on
            unmerged.realm_id = staged.realm_id
            and unmerged.entity = staged.entity
            and unmerged.qbo_id = staged.qbo_id
    where
        unmerged.realm_id = %(realm_id)s
        and staged.realm_id = %(realm_id)s
        and staged.payload ->> 'status' is distinct from 'Deleted'
),

pointed_at as (
    select
        'customer' as entity,
        payload #>> '{CustomerRef,value}' as qbo_id
    from waiting
    where entity in ('invoice', 'credit_memo', 'payment')
    union
    select
        entity,
        payload #>> '{ParentRef,value}' as qbo_id
    from waiting
    where entity in ('account', 'customer')
    union
    select
        'account' as entity,
        payload #>> '{DepositToAccountRef,value}' as qbo_id
    from waiting
    where entity = 'payment'
    union
    select
        case linked.item ->> 'TxnType' when 'Invoice' then 'invoice' when 'CreditMemo' then 'credit_memo' end as entity,
        linked.item ->> 'TxnId' as qbo_id
    from waiting
    cross join lateral staging.items(waiting.payload -> 'Line') as line (item)
    cross join lateral staging.items(line.item -> 'LinkedTxn') as linked (item)
    where waiting.entity = 'payment'
)

select
    pointed_at.entity,
    array_agg(pointed_at.qbo_id order by pointed_at.qbo_id) as qbo_ids
from pointed_at
where
    pointed_at.entity is not null
    and pointed_at.qbo_id is not null
    and not exists (
        select 1
        from staging.record as staged
        where
            staged.realm_id = %(realm_id)s
            and staged.entity = pointed_at.entity
            and staged.qbo_id = pointed_at.qbo_id
    )
    and not exists (
        select 1
        from sync.problem as problem
        where
            problem.company_id = %(company_id)s
            and problem.realm_id = %(realm_id)s
            and problem.direction = 'inbound'
            and problem.entity = pointed_at.entity
            and problem.qbo_id = pointed_at.qbo_id
            and problem.code = 'unreadable'
            and problem.state <> 'resolved'
    )
group by pointed_at.entity
order by pointed_at.entity;
