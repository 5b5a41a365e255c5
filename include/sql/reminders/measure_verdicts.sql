-- Measure the verdicts of the last hour: how many of each, and how long reminder runs took from being asked for to
-- their end; a run that was cleared was asked for long before.
with run as (
    select
        run.run_id,
        run.company_id,
        run.dag_run_id,
        extract(epoch from run.ended_at - run.asked_at) as seconds,
        run.clear_number
    from sync.run as run
    where run.dag_id = %(dag_id)s and run.started_at >= now() - interval '1 hour'
),

given as (
    select verdict.verdict
    from run
    inner join peakflo.reminder_verdict as verdict
        on
            run.company_id = verdict.company_id
            and run.dag_run_id = verdict.reminder_run_id
            and run.run_id = verdict.run_id
)

select
    'verdicts_hour' as name,
    json_build_object('verdict', possible.verdict) as tags,
    count(given.verdict) as value
from unnest(array['send', 'hold', 'unknown']) as possible (verdict)
left join given on possible.verdict = given.verdict
group by possible.verdict
union all
select
    'verdict_seconds_hour' as name,
    json_build_object('quantile', quantile.name) as tags,
    percentile_cont(quantile.share) within group (order by run.seconds) as value
from run
cross join (
    values
    ('0.5', 0.5),
    ('0.95', 0.95),
    ('1', 1)
) as quantile (name, share)
where run.seconds is not null and run.clear_number = 0
group by quantile.name, quantile.share;
