-- Forget some problems that were resolved long ago.
with old as (
    select problem_id
    from sync.problem
    where state = 'resolved' and resolved_at < now() - %(kept_for)s::interval
    order by problem_id
    limit %(most)s
)

delete from sync.problem as problem
using old
where problem.problem_id = old.problem_id;
