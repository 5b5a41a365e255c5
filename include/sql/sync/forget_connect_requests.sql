-- Forget the consents that nobody can come back from any more, and of which nobody asks.
delete from sync.connect_request
where expires_at < now() - interval '7 days';
