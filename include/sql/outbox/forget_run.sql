-- Take a run out of the log that found nothing to be done.
delete from sync.run
where
    run_id = %(run_id)s
    and not exists (
        select
        from outbox.move
        where move.run_id = %(run_id)s
    )
returning run_id;
