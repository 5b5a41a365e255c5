-- Webhooks: whom an event wakes, how long events are kept, and what came of all that was delivered.
create index on sync.webhook_event (received_at);

-- Per day, what came of deliveries and their events: stored, repeated, ignored or refused, by reason.
create table sync.webhook_count (
    day date not null,
    outcome text not null,
    total bigint not null,
    last_at timestamptz not null,
    primary key (day, outcome)
);

-- Wake whoever reads early, once per company and delivery; without a listener nothing is lost, the next sync reads.
create function sync.announce_events() returns trigger
language plpgsql as $$
begin
    perform pg_notify('webhook_event', connection.company_id)
    from sync.connection as connection
    where connection.status = 'connected' and connection.realm_id in (select added.realm_id from added);
    return null;
end
$$;

create trigger announce_events
after insert on sync.webhook_event
referencing new table as added
for each statement execute function sync.announce_events();
