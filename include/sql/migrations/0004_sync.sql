-- The sync's own state: connections, settings, the log, what cannot sync, and what webhooks told.
create schema sync;

create table sync.connection (
    company_id text primary key,
    realm_id text not null,
    status text not null check (status in ('connected', 'paused', 'reauthorize', 'disconnected')),
    status_since timestamptz not null default now(),
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

create function sync.note_status_since() returns trigger
language plpgsql as $$
begin
    new.status_since := now();
    return new;
end
$$;

create trigger note_status_since
before update of status on sync.connection
for each row
when (old.status <> new.status)
execute function sync.note_status_since();

-- A QuickBooks company serves one Peakflo company at a time.
create unique index connection_realm_in_use on sync.connection (realm_id) where status <> 'disconnected';

-- Consents on their way: who went to QuickBooks for which company, and what came of it.
create table sync.connect_request (
    -- Of the state that QuickBooks brings back; whoever reads the table cannot come back with it.
    state_hash bytea primary key,
    -- Of the cookie of the browser that began.
    session_hash bytea not null,
    requested_by text not null,
    company_id text not null,
    company_name text not null,
    intent text not null check (intent in ('connect', 'reconnect', 'change')),
    -- The books that have to be chosen; null when any may be.
    expected_realm_id text,
    expires_at timestamptz not null,
    used_at timestamptz,
    -- Set in the transaction that stores the tokens.
    connected_at timestamptz
);

create index on sync.connect_request (expires_at);

create table sync.company_setting (
    company_id text primary key,
    -- Two-way payment sync: whether Peakflo's payments are delivered to QuickBooks.
    auto_sync boolean not null default true,
    -- How much may be written off of an invoice to close it: so much, or this share of what goes to it if that is
    -- more.
    rounding_limit numeric(20, 4) not null default 1 check (rounding_limit >= 0),
    rounding_share numeric(6, 4) not null default 0.005 check (rounding_share between 0 and 1),
    -- A payment of more than this waits until somebody approves it; null: none does.
    approval_above numeric(20, 4) check (approval_above >= 0),
    -- Whether what an invoice no longer owes is left unapplied, to the customer's credit; else the payment is held.
    leaves_excess boolean not null default false
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
    -- How often somebody had cleared the DAG run before: what went through until then is done again.
    clear_number integer not null default 0,
    -- Whether the run holds its company: whoever holds it next knows that this one has ended.
    is_exclusive boolean not null default true,
    state text not null check (state in ('running', 'success', 'failed')),
    -- When the DAG run was asked for or due; null of the command line's.
    asked_at timestamptz,
    started_at timestamptz not null default now(),
    ended_at timestamptz,
    -- Per entity: {"read", "changed", "merged", "deleted"}.
    counts jsonb not null default '{}',
    calls integer not null default 0,
    -- Whether it has changed something in peakflo.* that nobody who waits for changes was told of yet.
    has_news boolean not null default false,
    error_code text,
    error text
);

create index on sync.run (company_id, started_at desc);
create index on sync.run (dag_id, dag_run_id, company_id);
create index on sync.run (dag_id, started_at);
create index on sync.run (ended_at) where calls > 0;
create index on sync.run (ended_at) where error_code = 'throttled';
create index on sync.run (company_id, realm_id, ended_at);
-- Those that brought something.
create index on sync.run (company_id, started_at) where counts @? '$.*.changed ? (@ > 0)';
create index on sync.run (company_id) where has_news;

-- The keys of the locks that somebody holds: of companies, and of their deliveries.
create view sync.held_lock as
-- An advisory lock shows its 64-bit key in two halves.
select (locks.classid::bigint << 32) | locks.objid::bigint as lock_key
from pg_locks as locks
inner join pg_database as databases on locks.database = databases.oid
where
    locks.locktype = 'advisory'
    and locks.granted
    and locks.objsubid = 1
    and databases.datname = current_database();

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
    -- Who can mend it: "admin", "data engineer", "bookkeeper" or "nobody" (it passes by itself).
    actor text not null,
    state text not null default 'open' check (state in ('open', 'ignored', 'resolved')),
    attempts integer not null default 1,
    first_seen_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    resolved_at timestamptz,
    -- What a person decided about it.
    decision text check (decision in ('retried', 'ignored', 'resolved', 'reopened')),
    decided_by text,
    decided_at timestamptz,
    -- What the record was when the problem was ignored: once it is another, the problem is news again.
    ignored_version text
);

-- Payments that Peakflo created have no Id in QuickBooks until they are delivered: their problems are told apart by
-- Peakflo's id. Records of two QuickBooks companies may have the same Id: each has its own problems.
create unique index problem_unresolved
on sync.problem (company_id, realm_id, direction, entity, qbo_id, code, peakflo_id) nulls not distinct
where state <> 'resolved';

create index on sync.problem (company_id, realm_id, state, last_seen_at desc);

-- Tell one version of what a problem is about from another: the staged record and what is wrong with it, or the consent
-- under which a company is connected. A payment's problems are its standing, which knows by itself.
create function sync.record_version(problem sync.problem) returns text
language sql stable as $$
    select case problem.direction
        when 'inbound' then
            problem.message || (
                select encode(staged.content_hash, 'hex') || coalesce(staged.deleted_at::text, '')
                from staging.seen_record as staged
                where
                    staged.realm_id = problem.realm_id
                    and staged.entity = problem.entity
                    and staged.qbo_id = problem.qbo_id
                union all
                select ''
                limit 1
            )
        when 'connection' then
            (
                select connection.connected_at::text
                from sync.connection as connection
                where connection.company_id = problem.company_id
            )
    end
$$;

-- An ignored problem stays quiet however often it is met again, until its record has changed.
create function sync.reopen_changed_problem() returns trigger
language plpgsql as $$
begin
    if old.state <> 'ignored' then
        new.ignored_version := sync.record_version(new);
    elsif new.attempts > old.attempts and new.ignored_version is distinct from sync.record_version(new) then
        new.state := 'open';
    end if;
    return new;
end
$$;

create trigger reopen_changed_problem
before update on sync.problem
for each row
when (new.state = 'ignored')
execute function sync.reopen_changed_problem();

-- Calls per realm, day, DAG and kind; reads are metered by Intuit and blocked past a monthly quota.
create table sync.api_call (
    realm_id text not null,
    day date not null,
    kind text not null,
    calls bigint not null,
    metered bigint not null,
    -- Empty for what no run of a company has sent, as while it is being connected.
    dag_id text not null default '',
    primary key (realm_id, day, dag_id, kind)
);

-- The metered calls of all companies and what they were for: what is left of the month is told from a month of them.
create index on sync.api_call (day) include (metered, dag_id, kind);

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
create index on sync.webhook_event (received_at);
create index on sync.webhook_event (realm_id, received_at);

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

-- Per hour, what came of deliveries and their events: stored, repeated, ignored or refused, by reason.
create table sync.webhook_count (
    began_at timestamptz not null,
    outcome text not null,
    total bigint not null,
    first_at timestamptz not null default now(),
    last_at timestamptz not null default now(),
    primary key (began_at, outcome)
);

-- Per realm, the last change that a sync found, and the last one that an event told of: whether webhooks come is known
-- by that, and by nothing else. It outlives the events.
create table sync.webhook_proof (
    realm_id text primary key,
    -- QuickBooks' time of both.
    changed_at timestamptz,
    announced_at timestamptz,
    -- When that event came, by our clock.
    received_at timestamptz
) with (fillfactor = 50);

-- What was decided for this month's reads, by include/receivables/company/budget.py; no row until the first cycle.
create table sync.read_budget (
    is_only boolean primary key default true check (is_only),
    decided_at timestamptz not null default now(),
    tier text not null,
    quota bigint not null check (quota > 0),
    -- Whether the quota is to be kept, or only what the forecast is held against.
    is_limit boolean not null,
    -- All reads of the month if every company were read in each cycle.
    forecast bigint not null,
    -- How often idle companies are read: those whose webhook is proven, and the others.
    proven_every interval not null,
    unproven_every interval not null,
    -- Whether what is left is for reminders only.
    is_reserved boolean not null
);

-- How often each company is read as long as nothing is heard of it, and how old it may be before it is late, which is
-- two cycles more. Its webhook is proven while the last change that was found is one that an event had told of, within
-- minutes. When changes at three such companies came after the last event of any, the webhook is silent for all.
create view sync.read_interval as
with silence as (
    select count(*) >= 3 as is_silent
    from sync.webhook_proof
    where
        announced_at is not null
        and changed_at < now() - interval '10 minutes'
        and changed_at > (
            select max(proof.announced_at) + interval '1 minute'
            from sync.webhook_proof as proof
        )
),

proven as (
    select
        connection.company_id,
        connection.realm_id,
        not silence.is_silent
        and coalesce(
            proof.received_at <= proof.announced_at + interval '10 minutes'
            and coalesce(proof.changed_at <= proof.announced_at + interval '1 minute', true),
            false
        ) as has_webhook
    from sync.connection as connection
    cross join silence
    left join sync.webhook_proof as proof on connection.realm_id = proof.realm_id
),

chosen as (
    select
        proven.*,
        coalesce(
            case when proven.has_webhook then budget.proven_every else budget.unproven_every end,
            interval '5 minutes'
        ) as read_every
    from proven
    left join sync.read_budget as budget on true
)

select
    company_id,
    realm_id,
    has_webhook,
    read_every,
    read_every + interval '10 minutes' as late_after
from chosen;

-- Where alerts go to. One that was removed keeps its row: what it was told is told of it.
create table sync.alert_channel (
    channel_id bigint generated always as identity primary key,
    name text not null check (name ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$'),
    kind text not null check (kind in ('smtp', 'slack', 'webhook')),
    -- Of Airflow: the server or address, and its secret.
    connection_id text not null,
    recipients text[] not null default '{}',
    -- Whose alerts; all companies' and what concerns them all when empty.
    company_id text not null default '',
    -- The least that is told.
    level text not null default 'warning' check (level in ('danger', 'warning')),
    -- Only these causes; all of them when null.
    codes text[] check (cardinality(codes) > 0),
    -- In these hours of this time zone, warnings wait.
    quiet_from time,
    quiet_until time,
    time_zone text not null default 'UTC' check (timestamptz 'epoch' at time zone time_zone is not null),
    created_at timestamptz not null default now(),
    created_by text not null,
    removed_at timestamptz,
    last_sent_at timestamptz,
    -- How often in a row it failed, since when, and why the last time.
    failures integer not null default 0,
    failing_since timestamptz,
    last_error text,
    check ((quiet_from is null) = (quiet_until is null) and quiet_from <> quiet_until),
    check ((kind = 'smtp') = (cardinality(recipients) > 0))
);

create unique index alert_channel_in_use on sync.alert_channel (name) where removed_at is null;

-- Whether a channel has its quiet hours, by the clock on its wall: they may go over midnight.
create function sync.is_quiet(channel sync.alert_channel, moment timestamptz) returns boolean
language sql stable as $$
    select coalesce(
        case
            when channel.quiet_from < channel.quiet_until
                then
                    (moment at time zone channel.time_zone)::time >= channel.quiet_from
                    and (moment at time zone channel.time_zone)::time < channel.quiet_until
            else
                (moment at time zone channel.time_zone)::time >= channel.quiet_from
                or (moment at time zone channel.time_zone)::time < channel.quiet_until
        end,
        false
    )
$$;

-- What was or is wrong: one row per cause, from when it began to be seen until it had been gone for some minutes.
create table sync.alert (
    alert_id bigint generated always as identity primary key,
    -- Empty for what concerns all companies.
    company_id text not null,
    code text not null,
    detail text not null,
    level text not null check (level in ('danger', 'warning')),
    sentence text not null,
    remedy text not null,
    owner text not null,
    action text not null,
    -- Per currency, as text, so that no reader turns an amount into a float.
    amounts jsonb not null,
    count integer not null,
    since timestamptz,
    opened_at timestamptz not null,
    -- Since when it is not seen any more; null again once it is back.
    gone_at timestamptz,
    closed_at timestamptz
);

create unique index alert_open on sync.alert (company_id, code, detail) where closed_at is null;
create index on sync.alert (opened_at);

-- What a channel is told of an alert, once each.
create table sync.alert_message (
    message_id bigint generated always as identity primary key,
    alert_id bigint not null references sync.alert on delete cascade,
    channel_id bigint not null references sync.alert_channel,
    kind text not null check (kind in ('opened', 'worsened', 'closed')),
    due_at timestamptz not null,
    attempts integer not null default 0,
    error text,
    -- When it was last handed over, as part of which message, while nobody knows whether it arrived.
    claimed_at timestamptz,
    batch_id uuid,
    -- How bad the alert was then.
    told_level text,
    sent_at timestamptz,
    -- When it had become pointless before it was sent.
    dropped_at timestamptz,
    unique (alert_id, channel_id, kind)
);

create index on sync.alert_message (channel_id) where sent_at is null and dropped_at is null;

-- When the causes were last looked at.
create table sync.alert_evaluation (
    is_only boolean primary key default true check (is_only),
    evaluated_at timestamptz not null
);
