-- Write the statements that make a user's database, where there is none, into which nobody gets who is not let in.
with needed (step, is_needed, template) as (
    -- An administrator who is no superuser gives a database to none but users whose part it takes.
    select
        1 as step,
        not rolsuper as is_needed,
        'grant %%2$I to current_user' as template
    from pg_roles
    where rolname = current_user
    union all
    select
        2 as step,
        count(*) = 0 as is_needed,
        'create database %%1$I owner %%2$I' as template
    from pg_database
    where datname = %(database)s
    union all
    select
        3 as step,
        true as is_needed,
        'revoke all on database %%1$I from public' as template
)

select format(template, %(database)s::text, %(name)s::text) as command
from needed
where is_needed
order by step;
