-- Use a state up, once.
update sync.connect_request
set used_at = now()
where state_hash = %(state_hash)s and used_at is null
returning company_id;
