-- List why records of a company did not go in.
select message
from sync.problem
where company_id = %(company_id)s and direction = 'inbound' and state = 'open'
order by problem_id;
