-- Write the statement that lets a user into a database.
select format('grant connect on database %%I to %%I', %(database)s::text, %(name)s::text) as command;
