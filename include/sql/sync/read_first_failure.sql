-- Read why the last attempt failed to read the accounts of the books that a company is connected to now.
select run.error
from (
    select
        latest.state,
        latest.error
    from sync.run as latest
    inner join sync.connection as connection
        on
            latest.company_id = connection.company_id
            and latest.realm_id = connection.realm_id
            and latest.started_at >= connection.connected_at
    where latest.company_id = %(company_id)s and latest.dag_id = %(dag_id)s
    order by latest.run_id desc
    limit 1
) as run
where run.state = 'failed';
