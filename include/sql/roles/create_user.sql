-- Write the statement that makes a user who may nothing but sign in, or gives one that is there its password.
select format('%%s role %%I login password %%L', needed.verb, %(name)s::text, %(password)s::text) as command
from (
    select case when count(*) = 0 then 'create' else 'alter' end as verb
    from pg_roles
    where rolname = %(name)s
) as needed;
