-- Keep what is new of one delivery's events, if it is about a company of ours, and count all of them.
with given as (
    select
        event_id,
        realm_id,
        entity,
        qbo_id,
        operation,
        happened_at
    from unnest(
        %(event_ids)b::text[],
        %(realm_ids)b::text[],
        %(entities)b::text[],
        %(qbo_ids)b::text[],
        %(operations)b::text[],
        %(happened_ats)b::timestamptz[]
    ) as event (event_id, realm_id, entity, qbo_id, operation, happened_at)
),

ours as (
    select given.*
    from given
    where exists (
        select 1
        from sync.connection as connection
        where connection.realm_id = given.realm_id and connection.status <> 'disconnected'
    )
),

stored as (
    insert into sync.webhook_event (event_id, realm_id, entity, qbo_id, operation, happened_at)
    select
        event_id,
        realm_id,
        entity,
        qbo_id,
        operation,
        happened_at
    from ours
    -- Two deliveries of the same events take them in one order.
    order by realm_id, event_id, entity, qbo_id
    on conflict (realm_id, event_id, entity, qbo_id) do nothing
    returning realm_id, coalesce(happened_at, received_at) as announced_at, received_at
),

-- The latest change that the realm's events have told of.
proven as (
    insert into sync.webhook_proof as kept (realm_id, announced_at, received_at)
    select distinct on (realm_id)
        realm_id,
        announced_at,
        received_at
    from stored
    order by realm_id asc, announced_at desc
    on conflict (realm_id) do update
        set announced_at = excluded.announced_at, received_at = excluded.received_at
        where kept.announced_at is null or kept.announced_at < excluded.announced_at
),

outcome (name, total) as (
    select
        'stored' as name,
        (select count(*) from stored) as total
    union all
    select
        'repeated' as name,
        (select count(*) from ours) - (select count(*) from stored) as total
    union all
    select
        'unknown_company' as name,
        (select count(*) from given) - (select count(*) from ours) as total
    union all
    select
        'other_entity' as name,
        %(others)s::bigint as total
    union all
    select
        'odd' as name,
        %(odd)s::bigint as total
),

counted as (
    insert into sync.webhook_count as kept (began_at, outcome, total)
    select
        date_trunc('hour', now()) as began_at,
        name,
        total
    from outcome
    where total > 0
    order by name
    on conflict (began_at, outcome) do update
        set total = kept.total + excluded.total, last_at = excluded.last_at
)

select
    name,
    total
from outcome;
