-- End a run in the sync log.
update sync.run
set
    state = %(state)s,
    ended_at = now(),
    counts = %(counts)s,
    calls = %(calls)s,
    has_news = %(has_news)s,
    error_code = %(error_code)s,
    error = %(error)s
where run_id = %(run_id)s;
