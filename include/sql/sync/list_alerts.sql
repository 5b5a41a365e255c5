-- List a page of the alerts, the latest first, with who was told and who waits to be.
select
    alert.alert_id,
    alert.company_id,
    company.name as company_name,
    alert.code,
    alert.detail,
    alert.level,
    alert.sentence,
    alert.remedy,
    alert.owner,
    alert.amounts,
    alert.count,
    coalesce(alert.since, alert.opened_at) as since,
    alert.opened_at,
    alert.gone_at,
    alert.closed_at,
    told.sent,
    told.waiting
from sync.alert as alert
left join peakflo.company as company on alert.company_id = company.company_id
cross join lateral (
    select
        array_agg(
            distinct channel.name
            order by channel.name
        ) filter (where message.sent_at is not null) as sent,
        array_agg(
            distinct channel.name
            order by channel.name
        ) filter (
            where message.sent_at is null and message.dropped_at is null and channel.removed_at is null
        ) as waiting
    from sync.alert_message as message
    inner join sync.alert_channel as channel on message.channel_id = channel.channel_id
    where message.alert_id = alert.alert_id
) as told
where
    (%(state)s::text is null or (alert.closed_at is null) = (%(state)s = 'open'))
    and (%(company_id)s::text is null or alert.company_id = %(company_id)s)
    and (%(before)s::bigint is null or alert.alert_id < %(before)s)
order by alert.alert_id desc
limit %(most)s;
