-- Let one transaction at a time write a realm's records: with it no writer can deadlock or overtake another.
select pg_advisory_xact_lock(hashtextextended('realm/' || %(realm_id)s, 0));
