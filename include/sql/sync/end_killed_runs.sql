-- End the company's runs whose process died: whoever holds the company's lock knows that none is at work. Runs that do
-- not hold it are over after some minutes.
update sync.run
set
    state = 'failed',
    ended_at = now(),
    -- It may have changed something in Peakflo's tables; one that does not hold the company does so at its end only.
    has_news = is_exclusive,
    error_code = 'killed',
    error = 'The process ended before the run did; what it had committed is kept, and the next run goes on from there.'
where
    company_id = %(company_id)s
    and state = 'running'
    and run_id < %(run_id)s
    and (is_exclusive or started_at < now() - interval '10 minutes');
