-- Reserve the moment for one more request to a realm, for all processes together: the eighth last request, say, must
-- have left a second earlier. Some may leave at once, and no second ever sees more than its share.
insert into sync.rate_limit as kept (realm_id, planned_at)
values (%(realm_id)s, array[clock_timestamp()])
on conflict (realm_id) do update
    set
        planned_at = case
            when cardinality(kept.planned_at) < %(most)s then kept.planned_at || clock_timestamp()
            else kept.planned_at[2:] || greatest(clock_timestamp(), kept.planned_at[1] + %(period)s)
        end
returning extract(epoch from kept.planned_at[cardinality(kept.planned_at)] - clock_timestamp()) as seconds;
