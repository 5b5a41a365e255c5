-- List the connected companies that nobody is at work on: those to sync, and those whose changes reach back too far and
-- need an import.
with oldest as (
    select
        realm_id,
        case when count(*) = cardinality(%(entities)b::text[]) then min(changed_since) end as changed_since
    from staging.cursor
    where entity = any(%(entities)b::text[])
    group by realm_id
),

held as (
    -- An advisory lock shows its 64-bit key in two halves.
    select (locks.classid::bigint << 32) | locks.objid::bigint as company_key
    from pg_locks as locks
    inner join pg_database as databases on locks.database = databases.oid
    where
        locks.locktype = 'advisory'
        and locks.granted
        and locks.objsubid = 1
        and databases.datname = current_database()
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
where
    connection.status = 'connected'
    and hashtextextended('company/' || connection.company_id, 0) not in (select held.company_key from held)
order by company.company_id;
