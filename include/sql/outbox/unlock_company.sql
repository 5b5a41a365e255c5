-- Give a company's deliveries back.
select pg_advisory_unlock(hashtextextended('delivery/' || %(company_id)s, 0));
