-- Follow a payment to all that came of it: its records, their moves, and the versions that QuickBooks had.
select
    record_id,
    document,
    generation,
    state,
    code,
    reason,
    qbo_id,
    created_at,
    made_at,
    move_id,
    from_state,
    to_state,
    why,
    request_id,
    intuit_tid,
    moved_at,
    run_id,
    dag_id,
    dag_run_id,
    try_number,
    versions
from outbox.lineage
where company_id = %(company_id)s and delivery_id = %(delivery_id)s and record_id is not null
order by document desc, generation asc, move_id asc;
