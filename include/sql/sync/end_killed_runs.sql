-- End the company's runs whose process died: whoever holds the company's lock knows that none is at work.
update sync.run
set
    state = 'failed',
    ended_at = now(),
    error_code = 'killed',
    error = 'The process ended before the run did; what it had committed is kept, and the next run goes on from there.'
where company_id = %(company_id)s and state = 'running' and run_id < %(run_id)s;
