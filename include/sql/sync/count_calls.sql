-- Add calls to the realm's ledger of the day, by the DAG that made them and QuickBooks' kind of call.
insert into sync.api_call as kept (realm_id, day, dag_id, kind, calls, metered)
select
    %(realm_id)s as realm_id,
    (now() at time zone 'utc')::date as day,
    %(dag_id)s as dag_id,
    kind,
    calls,
    metered
from unnest(%(kinds)b::text[], %(calls)b::integer[], %(metered)b::integer[]) as given (kind, calls, metered)
-- Two runs of a realm that end at the same time take the rows in one order.
order by kind
on conflict (realm_id, day, dag_id, kind) do update
    set
        calls = kept.calls + excluded.calls,
        metered = kept.metered + excluded.metered;
