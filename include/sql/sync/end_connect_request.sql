-- Record that a consent led to a connection, in the transaction that stores its tokens.
update sync.connect_request
set connected_at = now()
where state_hash = %(state_hash)s;
