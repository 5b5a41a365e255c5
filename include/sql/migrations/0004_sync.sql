-- The sync's own state: connections, settings, the log, and what cannot sync.
create schema sync;

create table sync.connection (
    company_id text primary key,
    realm_id text not null,
    status text not null check (status in ('connected', 'paused', 'reauthorize', 'disconnected')),
    -- Encrypted with Airflow's Fernet key; null once revoked.
    access_token text,
    refresh_token text,
    access_token_expires_at timestamptz,
    refresh_token_expires_at timestamptz,
    -- The day on which no refresh helps any more (five years after the consent).
    refresh_token_hard_expires_at timestamptz,
    refreshed_at timestamptz,
    -- When QuickBooks refused this refresh token for the first time; null once it takes it or another one is here. Only
    -- when it is refused again after a pause, the company has to be connected again.
    refused_at timestamptz,
    connected_at timestamptz not null default now(),
    connected_by text,
    last_error text,
    last_error_at timestamptz
);

-- A QuickBooks company serves one Peakflo company at a time.
create unique index connection_realm_in_use on sync.connection (realm_id) where status <> 'disconnected';

create table sync.company_setting (
    company_id text primary key,
    -- Two-way payment sync: whether Peakflo's payments are delivered to QuickBooks.
    auto_sync boolean not null default true
);

-- Which account of QuickBooks takes what, per purpose (fees, rounding, withholding tax type, currency, wallet).
create table sync.account_mapping (
    company_id text not null,
    realm_id text not null,
    purpose text not null,
    detail text not null default '',
    account_qbo_id text not null,
    mapped_at timestamptz not null default now(),
    mapped_by text,
    primary key (company_id, realm_id, purpose, detail)
);

-- The sync log: one row per company and run of a DAG.
create table sync.run (
    run_id bigint generated always as identity primary key,
    company_id text not null,
    realm_id text not null,
    dag_id text not null,
    dag_run_id text not null,
    try_number integer not null default 1,
    state text not null check (state in ('running', 'success', 'failed')),
    started_at timestamptz not null default now(),
    ended_at timestamptz,
    -- Per entity: {"read", "changed", "merged", "deleted"}.
    counts jsonb not null default '{}',
    calls integer not null default 0,
    error_code text,
    error text
);

create index on sync.run (company_id, started_at desc);
create index on sync.run (dag_id, dag_run_id, company_id);
create index on sync.run (ended_at) where calls > 0;
create index on sync.run (ended_at) where error_code = 'throttled';

-- Since when QuickBooks has answered no read of any company, and when it last refused one; nothing while it answers.
create view sync.read_quota as
select
    min(refused.ended_at) as refused_since,
    max(refused.ended_at) as refused_at
from sync.run as refused
where
    refused.error_code = 'throttled'
    and refused.ended_at >= coalesce(
        (
            select max(answered.ended_at)
            from sync.run as answered
            where answered.calls > 0
        ),
        '-infinity'
    );

-- What cannot sync: one row per record (or per connection, with an empty record) and cause.
create table sync.problem (
    problem_id bigint generated always as identity primary key,
    company_id text not null,
    realm_id text not null,
    direction text not null check (direction in ('inbound', 'outbound', 'connection')),
    entity text not null default '',
    qbo_id text not null default '',
    peakflo_id uuid,
    code text not null,
    message text not null,
    cure text not null,
    -- Who can mend it: "data engineer", "bookkeeper" or "nobody" (it passes by itself).
    actor text not null,
    state text not null default 'open' check (state in ('open', 'ignored', 'resolved')),
    attempts integer not null default 1,
    first_seen_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    resolved_at timestamptz
);

create unique index problem_unresolved
on sync.problem (company_id, direction, entity, qbo_id, code) where state <> 'resolved';

-- Calls per realm, day and kind; reads are metered by Intuit and blocked past a monthly quota.
create table sync.api_call (
    realm_id text not null,
    day date not null,
    kind text not null,
    calls bigint not null,
    metered bigint not null,
    primary key (realm_id, day, kind)
);

-- When the last requests to a realm left or will leave, whichever process sends them. Nothing is lost with it.
create unlogged table sync.rate_limit (
    realm_id text primary key,
    planned_at timestamptz[] not null
) with (fillfactor = 50);

create table sync.webhook_event (
    event_id text not null,
    realm_id text not null,
    entity text not null,
    qbo_id text not null,
    operation text not null,
    happened_at timestamptz,
    received_at timestamptz not null default now(),
    read_at timestamptz,
    -- A merge names two records, and an id that Intuit should give twice costs no hint.
    primary key (realm_id, event_id, entity, qbo_id)
);

create index on sync.webhook_event (realm_id) where read_at is null;
