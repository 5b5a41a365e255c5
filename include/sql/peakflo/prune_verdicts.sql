-- Forget some old verdicts, but never the last one on an invoice.
select forgotten.invoice_id
from peakflo.prune_verdicts(%(kept_for)s::interval, %(most)s) as forgotten (invoice_id);
