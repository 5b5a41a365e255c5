-- The metered calls of all companies, for the page that shows what is left of the quota: it reads a month of them.
create index on sync.api_call (day) include (metered);
