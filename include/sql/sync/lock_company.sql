-- Take the company for one piece of work at a time; the lock ends with the connection, so a kill frees it.
select pg_try_advisory_lock(hashtextextended('company/' || %(company_id)s, 0)) as is_locked;
