-- Follow a delivery's payment to all of its deliveries, their attempts, and the versions that QuickBooks had.
select
    lineage.delivery_id,
    lineage.leg,
    lineage.operation,
    lineage.state,
    lineage.qbo_id,
    lineage.delivered_sync_token,
    lineage.queued_at,
    lineage.delivered_at,
    lineage.attempt_id,
    lineage.request_id,
    lineage.action,
    lineage.outcome,
    lineage.attempted_at,
    lineage.ended_at,
    lineage.intuit_tid,
    lineage.error,
    lineage.run_id,
    lineage.dag_id,
    lineage.dag_run_id,
    lineage.try_number,
    lineage.staged_versions
from outbox.lineage as lineage
where
    lineage.company_id = %(company_id)s
    and lineage.payment_id = (
        select named.payment_id
        from outbox.delivery as named
        where named.company_id = %(company_id)s and named.delivery_id = %(delivery_id)s
    )
order by lineage.delivery_id, lineage.attempt_id;
