-- Write down where a payment stands, with its problems: open what differs, close what does not; and take it off the
-- queue, unless something changed since it was read.
with difference as (
    select
        listed.code,
        listed.message,
        listed.remedy,
        listed.owner,
        listed.is_ignored
    from jsonb_to_recordset(%(differences)s::jsonb) as listed (
        code text, message text, remedy text, owner text, is_ignored boolean
    )
),

settled as (
    update outbox.delivery
    set
        kind = %(kind)s,
        code = %(code)s,
        sentence = %(sentence)s,
        since = clock_timestamp()
    where
        company_id = %(company_id)s
        and payment_id = %(payment_id)s
        and (kind, code, sentence) is distinct from (%(kind)s, %(code)s, %(sentence)s)
),

dequeued as (
    delete from outbox.queue
    where
        company_id = %(company_id)s
        and payment_id = %(payment_id)s
        and queued_at = %(queued_at)s
),

closed as (
    update sync.problem as problem
    set
        state = 'resolved',
        resolved_at = now()
    where
        problem.company_id = %(company_id)s
        and problem.direction = 'outbound'
        and problem.peakflo_id = %(payment_id)s
        and problem.state <> 'resolved'
        and problem.code not in (select difference.code from difference)
)

insert into sync.problem as kept (
    company_id, realm_id, direction, entity, qbo_id, peakflo_id, code, message, cure, actor, state
)
select
    %(company_id)s as company_id,
    %(realm_id)s as realm_id,
    'outbound' as direction,
    'payment' as entity,
    '' as qbo_id,
    %(payment_id)s as peakflo_id,
    code,
    string_agg(message, ' ') as message,
    min(remedy) as cure,
    min(owner) as actor,
    case when bool_and(is_ignored) then 'ignored' else 'open' end as state
from difference
group by code
on conflict (company_id, realm_id, direction, entity, qbo_id, code, peakflo_id) where state <> 'resolved' do update
    set
        message = excluded.message,
        cure = excluded.cure,
        actor = excluded.actor,
        state = excluded.state,
        last_seen_at = now()
    where (kept.message, kept.cure, kept.actor, kept.state)
    is distinct from (excluded.message, excluded.cure, excluded.actor, excluded.state);
