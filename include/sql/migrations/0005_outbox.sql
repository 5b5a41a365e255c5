-- What Peakflo has for QuickBooks: each payment's deliveries, exactly once each.
create schema outbox;

create table outbox.delivery (
    delivery_id bigint generated always as identity primary key,
    company_id text not null,
    realm_id text not null,
    payment_id uuid not null,
    leg text not null check (leg in ('payment', 'adjustment')),
    operation text not null check (operation in ('create', 'void')),
    generation integer not null default 0,
    -- QuickBooks answers a repeated request id with the first answer; it takes 50 characters at most.
    request_id text not null check (length(request_id) <= 50),
    payload jsonb,
    state text not null default 'queued'
    check (state in ('queued', 'sending', 'delivered', 'held', 'rejected', 'unknown', 'possible_orphan', 'ignored')),
    reason text,
    attempts integer not null default 0,
    queued_at timestamptz not null default now(),
    -- Committed before the request leaves: from then on the payment may exist in QuickBooks.
    first_sent_at timestamptz,
    delivered_at timestamptz,
    qbo_id text,
    sync_token integer,
    response jsonb,
    unique (realm_id, request_id),
    unique (company_id, payment_id, leg, operation, generation)
);

create index on outbox.delivery (company_id, state) where state not in ('delivered', 'ignored');
