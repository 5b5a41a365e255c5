-- Let one connection of a company be made at a time, until the transaction ends; the company may be new.
select pg_advisory_xact_lock(hashtextextended('connecting/' || %(company_id)s, 0));
