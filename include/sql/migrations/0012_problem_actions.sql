-- What people decide about problems, and when an ignored one speaks up again.
alter table sync.problem
add column decision text check (decision in ('retried', 'ignored', 'resolved', 'reopened')),
add column decided_by text,
add column decided_at timestamptz,
-- What the record was when the problem was ignored: once it is another, the problem is news again.
add column ignored_version text;

create index on sync.problem (company_id, realm_id, state, last_seen_at desc);
create index on sync.run (company_id, realm_id, ended_at);

-- Tell one version of what a problem is about from another: the staged record and what is wrong with it; the payment
-- that Peakflo sends with what QuickBooks has of it; or the consent under which a company is connected.
create function sync.record_version(problem sync.problem) returns text
language sql stable as $$
    select case problem.direction
        when 'inbound' then
            problem.message || (
                select encode(staged.content_hash, 'hex') || coalesce(staged.deleted_at::text, '')
                from staging.record as staged
                where
                    staged.realm_id = problem.realm_id
                    and staged.entity = problem.entity
                    and staged.qbo_id = problem.qbo_id
                union all
                select ''
                limit 1
            )
        when 'outbound' then
            md5(
                jsonb_build_array(
                    (
                        select
                            to_jsonb(payment)
                            - array['source_id', 'source_updated_at', 'unapplied_amount', 'created_at']
                        from peakflo.payment as payment
                        where payment.company_id = problem.company_id and payment.id = problem.peakflo_id
                    ),
                    (
                        select jsonb_agg(to_jsonb(allocation) order by allocation.position)
                        from peakflo.payment_allocation as allocation
                        where
                            allocation.company_id = problem.company_id
                            and allocation.payment_id = problem.peakflo_id
                    ),
                    (
                        select encode(staged.content_hash, 'hex') || coalesce(staged.deleted_at::text, '')
                        from mapping.payment as mapped
                        inner join staging.payment as staged
                            on mapped.realm_id = staged.realm_id and mapped.qbo_id = staged.qbo_id
                        where mapped.realm_id = problem.realm_id and mapped.peakflo_id = problem.peakflo_id
                    )
                )::text
            )
        else
            (
                select connection.connected_at::text
                from sync.connection as connection
                where connection.company_id = problem.company_id
            )
    end
$$;

-- An ignored problem stays quiet however often it is met again, until its record has changed.
create function sync.reopen_changed_problem() returns trigger
language plpgsql as $$
begin
    if old.state <> 'ignored' then
        new.ignored_version := sync.record_version(new);
    elsif new.attempts > old.attempts and new.ignored_version is distinct from sync.record_version(new) then
        new.state := 'open';
    end if;
    return new;
end
$$;

create trigger reopen_changed_problem
before update on sync.problem
for each row
when (new.state = 'ignored')
execute function sync.reopen_changed_problem();

-- From a payment to all that came of it: each attempt and its run, each version that QuickBooks had of it, and the run
-- that brought that version.
create or replace view outbox.lineage as
select
    delivery.company_id,
    delivery.realm_id,
    delivery.payment_id,
    payment.customer_id,
    payment.amount,
    payment.currency,
    payment.status as payment_status,
    delivery.delivery_id,
    delivery.leg,
    delivery.operation,
    delivery.generation,
    delivery.state,
    delivery.code,
    delivery.reason,
    delivery.qbo_id,
    delivery.sync_token as delivered_sync_token,
    delivery.queued_at,
    delivery.delivered_at,
    attempt.attempt_id,
    attempt.request_id,
    attempt.action,
    attempt.outcome,
    attempt.started_at as attempted_at,
    attempt.intuit_tid,
    attempt.error,
    run.run_id,
    run.dag_id,
    run.dag_run_id,
    run.try_number,
    echo.sync_token as staged_sync_token,
    echo.deleted_at as staged_deleted_at,
    echo.versions as staged_versions,
    attempt.ended_at
from outbox.delivery as delivery
left join peakflo.payment as payment
    on delivery.company_id = payment.company_id and delivery.payment_id = payment.id
left join outbox.attempt as attempt on delivery.delivery_id = attempt.delivery_id
left join sync.run as run on attempt.run_id = run.run_id
left join lateral (
    select
        max(version.sync_token) as sync_token,
        max(version.deleted_at) as deleted_at,
        jsonb_agg(
            jsonb_build_object(
                'sync_token', version.sync_token,
                'qbo_updated_at', version.qbo_updated_at,
                'deleted_at', version.deleted_at,
                'read_at', version.read_at,
                'run_id', version.run_id,
                'dag_id', reading.dag_id,
                'dag_run_id', reading.dag_run_id
            )
            order by version.read_at
        ) as versions
    from staging.version as version
    left join sync.run as reading on version.run_id = reading.run_id
    where
        version.realm_id = delivery.realm_id
        and version.qbo_id = delivery.qbo_id
        and version.entity = case delivery.leg when 'payment' then 'payment' else 'journal_entry' end
) as echo on true;
