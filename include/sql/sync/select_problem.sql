-- Read one problem of a company.
select
    problem_id,
    direction,
    realm_id,
    entity,
    qbo_id,
    peakflo_id,
    code,
    message,
    state
from sync.problem
where company_id = %(company_id)s and problem_id = %(problem_id)s;
