-- Leave a round in which nothing was sent or asked out of the log: what is held comes up every few minutes.
delete from sync.run
where run_id = %(run_id)s;
