-- Delete runs of the sync log.
delete from sync.run
where run_id = any(%(run_ids)s);
