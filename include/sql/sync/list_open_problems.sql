-- List why records of the books that a company is connected to did not go in.
select problem.message
from sync.problem as problem
inner join sync.connection as connection
    on problem.company_id = connection.company_id and problem.realm_id = connection.realm_id
where problem.company_id = %(company_id)s and problem.direction = 'inbound' and problem.state = 'open'
order by problem.problem_id;
