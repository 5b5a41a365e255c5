-- Forget some alerts that were over long ago, with what was told of them.
with old as (
    select alert_id
    from sync.alert
    where closed_at < now() - %(kept_for)s::interval
    order by alert_id
    limit %(most)s
)

delete from sync.alert as alert
using old
where alert.alert_id = old.alert_id;
