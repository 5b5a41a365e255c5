-- Give the company back.
select pg_advisory_unlock(hashtextextended('company/' || %(company_id)s, 0));
