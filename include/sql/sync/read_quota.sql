-- Tell whether QuickBooks answers no reads any more, and whether it is time to try one.
select
    refused_since,
    coalesce(refused_at - refused_since >= %(suspected_after)s, false) as is_used_up,
    coalesce(refused_at + %(probe_every)s <= now(), false) as is_probe_due
from sync.read_quota;
