-- Count a company's problems by state and by who acts.
select
    state,
    actor,
    count(*) as problems
from sync.problem
where company_id = %(company_id)s and realm_id = %(realm_id)s
group by state, actor;
