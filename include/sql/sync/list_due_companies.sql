-- List the connected companies: those to sync, and those whose changes reach back too far and need an import.
with oldest as (
    select
        realm_id,
        case when count(*) = cardinality(%(entities)b::text[]) then min(changed_since) end as changed_since
    from staging.cursor
    where entity = any(%(entities)b::text[])
    group by realm_id
)

select
    company.company_id,
    company.name,
    connection.realm_id,
    connection.status,
    coalesce(oldest.changed_since < now() - %(reach)s, true) as is_import_due
from sync.connection as connection
inner join peakflo.company as company on connection.company_id = company.company_id
left join oldest on connection.realm_id = oldest.realm_id
where connection.status = 'connected'
order by company.company_id;
