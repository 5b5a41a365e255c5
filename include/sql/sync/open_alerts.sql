-- Open an alert for each cause that has none, and bring up to date those that have one.
insert into sync.alert as known (
    company_id, code, detail, level, sentence, remedy, owner, action, amounts, count, since, opened_at
)
select
    cause.company_id,
    cause.code,
    cause.detail,
    cause.level,
    cause.sentence,
    cause.remedy,
    cause.owner,
    cause.action,
    cause.amounts,
    cause.count,
    cause.since,
    %(moment)s as opened_at
from jsonb_to_recordset(%(causes)s::jsonb) as cause (
    company_id text,
    code text,
    detail text,
    level text,
    sentence text,
    remedy text,
    owner text,
    action text,
    amounts jsonb,
    count integer,
    since timestamptz
)
on conflict (company_id, code, detail) where closed_at is null do update
    set
        level = excluded.level,
        sentence = excluded.sentence,
        remedy = excluded.remedy,
        owner = excluded.owner,
        action = excluded.action,
        amounts = excluded.amounts,
        count = excluded.count,
        since = excluded.since,
        gone_at = null
    where
        (
            known.level, known.sentence, known.remedy, known.owner, known.action, known.amounts, known.count,
            known.since, known.gone_at
        ) is distinct from (
            excluded.level, excluded.sentence, excluded.remedy, excluded.owner, excluded.action, excluded.amounts,
            excluded.count, excluded.since, null
        );
