-- Let no statement of this connection take longer, be it at work or waiting for a lock.
select set_config('statement_timeout', %(milliseconds)s, false);
