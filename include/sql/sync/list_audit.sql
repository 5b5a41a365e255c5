-- List what was done, and what was denied, the latest first; without what vouches for verdicts and moves.
select
    audit_id,
    company_id,
    acted_at,
    actor,
    via,
    login,
    act,
    outcome,
    facts
from sync.audit
where
    (%(company_id)s::text is null or company_id = %(company_id)s)
    and act not in ('verdicts.keep', 'verdicts.forget', 'payment.move', 'payment.forget_move')
order by audit_id desc
limit %(most)s;
