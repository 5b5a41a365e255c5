-- Read a company and its connection, without its tokens.
select
    company.company_id,
    company.name,
    company.source_name,
    company.home_currency,
    company.country,
    company.book_close_date,
    connection.realm_id,
    connection.status,
    connection.connected_at,
    connection.connected_by,
    connection.refreshed_at,
    connection.access_token_expires_at,
    connection.refresh_token_expires_at,
    connection.refresh_token_hard_expires_at,
    connection.last_error,
    connection.last_error_at,
    coalesce(setting.auto_sync, true) as auto_sync,
    (
        select max(run.ended_at)
        from sync.run as run
        where
            run.company_id = connection.company_id
            and run.realm_id = connection.realm_id
            and run.state = 'success'
            and run.dag_id <> 'peakflo_to_quickbooks'
    ) as last_sync_at,
    read_interval.has_webhook,
    read_interval.late_after,
    now() as read_at
from sync.connection as connection
inner join peakflo.company as company on connection.company_id = company.company_id
inner join sync.read_interval as read_interval on connection.company_id = read_interval.company_id
left join sync.company_setting as setting on connection.company_id = setting.company_id
where connection.company_id = %(company_id)s;
