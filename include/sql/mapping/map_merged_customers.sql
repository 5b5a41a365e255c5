-- Learn into whom customers were merged that are gone: an event of Intuit's names both, or all that they had went over
-- to one other when they went. One that is back again was not merged.
with waiting as (
    select
        entity,
        qbo_id
    from staging.unmerged
    where realm_id = %(realm_id)s and staging.has_owner(entity)
),

concerned as (
    select qbo_id
    from waiting
    where entity = 'customer'
    union
    select before.owner_qbo_id
    from waiting
    cross join lateral (
        select staging.owner_of(history.payload) as owner_qbo_id
        from staging.history as history
        where
            history.realm_id = %(realm_id)s
            and history.entity = waiting.entity
            and history.qbo_id = waiting.qbo_id
        order by history.version_id desc
        limit 1
    ) as before
    union
    select qbo_id
    from sync.webhook_event
    where realm_id = %(realm_id)s and read_at is null and entity = 'customer' and operation = 'merge'
),

customer as materialized (
    select
        staged.qbo_id,
        staged.qbo_updated_at,
        staging.is_gone(staged.deleted_at, staged.payload) as is_gone
    from concerned
    inner join staging.customer as staged on staged.realm_id = %(realm_id)s and concerned.qbo_id = staged.qbo_id
),

told as (
    select distinct on (customer.qbo_id)
        customer.qbo_id,
        survivor.qbo_id as into_qbo_id
    from customer
    inner join sync.webhook_event as lost
        on
            lost.realm_id = %(realm_id)s
            and lost.entity = 'customer'
            and lost.operation = 'merge'
            and customer.qbo_id = lost.qbo_id
    inner join sync.webhook_event as kept
        on
            lost.realm_id = kept.realm_id
            and lost.event_id = kept.event_id
            and lost.entity = kept.entity
            and lost.qbo_id <> kept.qbo_id
    inner join staging.customer as survivor on kept.realm_id = survivor.realm_id and kept.qbo_id = survivor.qbo_id
    where customer.is_gone and not staging.is_gone(survivor.deleted_at, survivor.payload)
    order by customer.qbo_id asc, lost.received_at desc
),

-- What was another's already before the customer went did not go over with it.
moved as (
    select
        customer.qbo_id,
        staging.owner_of(staged.payload) as into_qbo_id
    from customer
    inner join staging.history as had
        on
            had.realm_id = %(realm_id)s
            and staging.has_owner(had.entity)
            and customer.qbo_id = staging.owner_of(had.payload)
    inner join staging.record as staged
        on had.realm_id = staged.realm_id and had.entity = staged.entity and had.qbo_id = staged.qbo_id
    where
        customer.is_gone
        -- So that no other partition is planned for.
        and staging.has_owner(staged.entity)
        and staged.deleted_at is null
        and staging.owner_of(staged.payload) <> customer.qbo_id
        and staged.read_at >= customer.qbo_updated_at
        and not exists (
            select
            from staging.history as later
            where
                later.realm_id = had.realm_id
                and later.entity = had.entity
                and later.qbo_id = had.qbo_id
                and later.version_id > had.version_id
                and later.read_at < customer.qbo_updated_at
                and staging.owner_of(later.payload) <> customer.qbo_id
        )
),

gone_over as materialized (
    select
        qbo_id,
        min(into_qbo_id) as into_qbo_id
    from moved
    group by qbo_id
    having count(distinct into_qbo_id) = 1
),

seen as (
    select
        qbo_id,
        into_qbo_id
    from gone_over
    where
        qbo_id not in (
            select staging.owner_of(staged.payload)
            from waiting
            inner join staging.record as staged
                on staged.realm_id = %(realm_id)s and waiting.entity = staged.entity and waiting.qbo_id = staged.qbo_id
            where
                staging.has_owner(staged.entity)
                and staged.deleted_at is null
                and staging.owner_of(staged.payload) is not null
        )
        and not exists (
            select
            from mapping.customer as mapped
            inner join peakflo.customer_record as had
                on had.company_id = %(company_id)s and mapped.peakflo_id = had.customer_id
            inner join staging.record as staged
                on mapped.realm_id = staged.realm_id and had.entity = staged.entity and had.qbo_id = staged.qbo_id
            where
                mapped.realm_id = %(realm_id)s
                and mapped.qbo_id = gone_over.qbo_id
                and staging.has_owner(staged.entity)
                and staged.deleted_at is null
                and staging.owner_of(staged.payload) = gone_over.qbo_id
        )
),

back as (
    delete from mapping.merged_customer as merged
    using customer
    where merged.realm_id = %(realm_id)s and merged.qbo_id = customer.qbo_id and not customer.is_gone
)

insert into mapping.merged_customer as known (realm_id, qbo_id, into_qbo_id)
select
    %(realm_id)s as realm_id,
    coalesce(told.qbo_id, seen.qbo_id) as qbo_id,
    coalesce(told.into_qbo_id, seen.into_qbo_id) as into_qbo_id
from told
full join seen on told.qbo_id = seen.qbo_id
on conflict (realm_id, qbo_id) do update
    set into_qbo_id = excluded.into_qbo_id, mapped_at = excluded.mapped_at
    where known.into_qbo_id <> excluded.into_qbo_id;
