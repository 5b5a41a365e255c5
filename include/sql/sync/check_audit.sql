-- Find what is not as it was written down: acts that were changed, put in or taken out, verdicts and moves that are not
-- those that the audit vouches for, and records that are not where their last move left them.
with chained as materialized (
    select
        acted.company_id,
        acted.audit_id,
        acted.number,
        acted.hash,
        coalesce(lag(acted.number) over chain, 0) as previous_number,
        coalesce(acted.hash = sync.audit_hash(acted, coalesce(lag(acted.hash) over chain, '')), false) as is_right
    from sync.audit as acted
    window chain as (
        partition by acted.company_id
        order by acted.number
    )
),

vouched as materialized (
    select distinct on (company_id, run_id)
        company_id,
        (facts ->> 'run_id')::bigint as run_id,
        facts ->> 'digest' as digest
    from sync.audit
    where act in ('verdicts.keep', 'verdicts.forget')
    order by company_id asc, run_id asc, number desc
),

tail as (
    select distinct on (company_id)
        company_id,
        number,
        hash
    from chained
    order by company_id asc, number desc
),

moved as materialized (
    select
        (facts ->> 'move_id')::bigint as move_id,
        min(company_id) as company_id,
        max(facts ->> 'digest') as digest,
        bool_or(act = 'payment.forget_move') as is_forgotten
    from sync.audit
    where act in ('payment.move', 'payment.forget_move')
    group by move_id
)

select
    company_id,
    format('Act %s is not as it was written down.', audit_id) as sentence
from chained
where not is_right
union all
select
    company_id,
    format('%s acts before act %s are missing.', number - previous_number - 1, audit_id) as sentence
from chained
where number <> previous_number + 1
union all
select
    coalesce(head.company_id, tail.company_id) as company_id,
    'The last acts are missing, or the end of the chain was changed.' as sentence
from sync.audit_head as head
full outer join tail on head.company_id = tail.company_id
where (head.number, head.hash) is distinct from (tail.number, tail.hash)
union all
select
    coalesce(vouched.company_id, kept.company_id) as company_id,
    format('The verdicts of run %s are not those that were kept.', coalesce(vouched.run_id, kept.run_id)) as sentence
from vouched
full outer join peakflo.verdict_digest as kept
    on vouched.company_id = kept.company_id and vouched.run_id = kept.run_id
where vouched.digest is distinct from kept.digest
union all
select
    coalesce(moved.company_id, record.company_id) as company_id,
    format('Move %s of a payment is not as it was made.', coalesce(moved.move_id, kept.move_id)) as sentence
from moved
full outer join outbox.move as kept on moved.move_id = kept.move_id
left join outbox.record as record on kept.record_id = record.record_id
where
    case
        when moved.move_id is null then true
        when kept.move_id is null then not moved.is_forgotten
        else moved.digest is distinct from outbox.digest_move(kept)
    end
union all
select
    record.company_id,
    format('Record %s is %s, where its last move left it %s.', record.record_id, record.state, latest.to_state)
    as sentence
from outbox.record as record
inner join lateral (
    select move.to_state
    from outbox.move as move
    where move.record_id = record.record_id
    order by move.move_id desc
    limit 1
) as latest on true
where record.state <> latest.to_state
order by company_id, sentence;
