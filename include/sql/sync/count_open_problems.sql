-- Count the open problems of companies' present books by what they are about, payments' left out: those are where each
-- payment stands. Of one cause, the latest words.
select
    problem.company_id,
    problem.direction,
    problem.code,
    count(*) as problems,
    min(problem.first_seen_at) as since,
    max(problem.last_seen_at) as last_seen_at,
    max(problem.message) as message,
    max(problem.cure) as remedy,
    max(problem.actor) as owner
from sync.problem as problem
inner join sync.connection as connection
    on problem.company_id = connection.company_id and problem.realm_id = connection.realm_id
where
    problem.state = 'open'
    and problem.direction <> 'outbound'
    and (%(company_ids)s::text[] is null or problem.company_id = any(%(company_ids)s::text[]))
group by problem.company_id, problem.direction, problem.code
order by problem.company_id, problem.direction, problem.code;
