-- List the users of the server.
select rolname from pg_roles;
