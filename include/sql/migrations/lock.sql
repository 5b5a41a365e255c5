-- Let one process migrate at a time; the others wait here. The number is the project's own.
select pg_advisory_xact_lock(4711000000000001);
