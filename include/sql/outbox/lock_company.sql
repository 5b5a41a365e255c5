-- Take a company's deliveries for one process at a time, beside any sync; the lock ends with the connection.
select pg_try_advisory_lock(hashtextextended('delivery/' || %(company_id)s, 0)) as is_locked;
