-- List what is wrong with connections: those that have to be connected again, and those whose records are late.
select
    connection.company_id,
    'reconnect' as code,
    '' as detail,
    'danger' as level,
    'Nothing is read or sent. '
    || coalesce(connection.last_error, 'QuickBooks no longer accepts the connection.') as sentence,
    'Connect the company to QuickBooks again.' as remedy,
    'admin' as owner,
    'reconnect' as action,
    '{}'::jsonb as amounts,
    1 as count,
    connection.last_error_at as since,
    true as is_told
from sync.connection as connection
where
    connection.status = 'reauthorize'
    and (%(company_id)s::text is null or connection.company_id = %(company_id)s)
union all
select
    connection.company_id,
    'not_fresh' as code,
    '' as detail,
    'danger' as level,
    'What changed in QuickBooks since ' || to_char(min(position.changed_since), 'HH24:MI')
    || ' UTC has not been read.' as sentence,
    'Look at the log of the last sync, then sync the company now.' as remedy,
    'data engineer' as owner,
    'sync' as action,
    '{}'::jsonb as amounts,
    1 as count,
    min(position.changed_since) as since,
    true as is_told
from sync.connection as connection
inner join staging.cursor as position on connection.realm_id = position.realm_id
where
    connection.status = 'connected'
    and (%(company_id)s::text is null or connection.company_id = %(company_id)s)
group by connection.company_id
having min(position.changed_since) < now() - %(longest_gap)s::interval
order by company_id, code;
