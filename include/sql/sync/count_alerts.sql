-- Count the alerts that are open and those that are over.
select
    count(*) filter (where closed_at is null) as open,
    count(*) filter (where closed_at is not null) as closed,
    (
        select evaluation.evaluated_at
        from sync.alert_evaluation as evaluation
    ) as evaluated_at
from sync.alert;
