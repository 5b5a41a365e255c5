-- Read the facts of records as QuickBooks answered them, as those of staged ones are read.
with given as (
    select
        page.qbo_id,
        proof.facts_of(%(entity)s, convert_from(page.payload, 'UTF8')::jsonb, false) as facts
    from unnest(%(qbo_ids)b::text[], %(payloads)b::bytea[]) as page (qbo_id, payload)
)

select
    given.qbo_id,
    coalesce(merged.survivor_qbo_id, (given.facts).owner_id) as owner_id,
    (given.facts).status as status,
    (given.facts).name as name,
    (given.facts).currency as currency,
    (given.facts).rate as rate,
    (given.facts).total as total,
    (given.facts).open as open,
    (given.facts).issue_date as issue_date,
    (given.facts).due_date as due_date,
    (given.facts).links as links
from given
left join mapping.customer_merge as merged
    on merged.realm_id = %(realm_id)s and (given.facts).owner_id = merged.qbo_id;
