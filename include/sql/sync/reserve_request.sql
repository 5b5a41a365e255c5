-- Reserve the moment for one more request to a realm, for all processes together (GCRA): requests leave
-- at an even pace, and after a pause a few may leave at once.
insert into sync.rate_limit as kept (realm_id, next_at)
values (%(realm_id)s, clock_timestamp() + %(interval)s)
on conflict (realm_id) do update
    set next_at = greatest(kept.next_at, clock_timestamp()) + %(interval)s
returning extract(epoch from kept.next_at - clock_timestamp() - %(burst)s * %(interval)s) as seconds;
