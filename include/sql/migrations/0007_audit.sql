-- Who did what: one chain of acts per company, in which no row can be changed, put in or taken out unnoticed. What else
-- must not be changed, verdicts and the moves of records, is vouched for by a digest in it.

create table sync.audit (
    audit_id bigint generated always as identity primary key,
    -- Empty for what concerns no single company.
    company_id text not null,
    acted_at timestamptz not null default clock_timestamp(),
    -- Who, as Airflow or the machine names them, and through what: "page", "command line" or "task"; who comes with a
    -- password of the database's and says neither is the database's user, through "sql".
    actor text not null default coalesce(nullif(current_setting('receivables.actor', true), ''), session_user),
    via text not null default coalesce(nullif(current_setting('receivables.via', true), ''), 'sql'),
    -- The database's user, which nobody can say for themselves.
    login text not null default session_user,
    act text not null,
    outcome text not null default 'done' check (outcome in ('done', 'denied')),
    facts jsonb not null default '{}',
    -- The place in the company's chain, from 1 on, given at the end of the transaction.
    number bigint,
    -- Over the row and the hash of the one before.
    hash bytea,
    unique (company_id, number)
);

create index on sync.audit (company_id, audit_id desc) where act not in ('verdicts.keep', 'payment.move');
create index on sync.audit (company_id, ((facts ->> 'run_id')::bigint), number desc)
where act in ('verdicts.keep', 'verdicts.forget');

-- Where each chain ends.
create table sync.audit_head (
    company_id text primary key,
    number bigint not null,
    hash bytea not null
) with (fillfactor = 50);

-- What follows from a row and the hash of the one before; no setting of a session has a part in it.
create function sync.audit_hash(acted sync.audit, previous_hash bytea) returns bytea
language sql immutable
return
sha256(
    previous_hash
    || convert_to(
        jsonb_build_array(
            acted.audit_id, acted.company_id, extract(epoch from acted.acted_at), acted.actor, acted.via, acted.login,
            acted.act, acted.outcome, acted.facts, acted.number
        )::text,
        'UTF8'
    )
);

-- Give an act its place in the chain. At the end of the transaction, so that the chain is locked after all else, and
-- for no longer than it takes to commit.
create function sync.chain_audit() returns trigger
language plpgsql security definer set search_path = pg_catalog as $$
declare
    head sync.audit_head;
begin
    -- Of a company that is being erased, the acts go with it.
    if not exists (select from sync.audit where audit_id = new.audit_id) then
        return null;
    end if;
    insert into sync.audit_head (company_id, number, hash) values (new.company_id, 0, '') on conflict do nothing;
    select * into head from sync.audit_head where company_id = new.company_id for update;
    new.number := head.number + 1;
    new.hash := sync.audit_hash(new, head.hash);
    update sync.audit set number = new.number, hash = new.hash where audit_id = new.audit_id;
    update sync.audit_head set number = new.number, hash = new.hash where company_id = new.company_id;
    return null;
end
$$;

create constraint trigger chain_audit
after insert on sync.audit
deferrable initially deferred
for each row execute function sync.chain_audit();

-- Write down an act of which no row of another table tells, or one that was denied.
create function sync.note_act(of_company text, of_act text, with_outcome text, with_facts jsonb) returns void
language sql security definer set search_path = pg_catalog as $$
    insert into sync.audit (company_id, act, outcome, facts) values (of_company, of_act, with_outcome, with_facts)
$$;

-- Write down what an act has changed of a row: each column's value before and after, but for those that are named.
create function sync.note_change() returns trigger
language plpgsql security definer set search_path = pg_catalog as $$
declare
    before jsonb = case when tg_op = 'INSERT' then '{}' else to_jsonb(old) - coalesce(tg_argv, '{}') end;
    after jsonb = case when tg_op = 'DELETE' then '{}' else to_jsonb(new) - coalesce(tg_argv, '{}') end;
begin
    insert into sync.audit (company_id, act, facts)
    select
        coalesce(after ->> 'company_id', before ->> 'company_id', ''),
        format('%s.%s', tg_table_name, lower(tg_op)),
        jsonb_object_agg(name, jsonb_build_array(before -> name, after -> name))
    from (select jsonb_object_keys(before || after) as name) as changed
    where
        before -> name is distinct from after -> name
        or name in (
            'company_id', 'purpose', 'detail', 'problem_id', 'channel_id', 'name', 'payment_id', 'member_kind', 'member'
        );
    return null;
end
$$;

-- Tokens that are renewed, and what QuickBooks says of them, is no act.
create trigger note_connected
after insert or delete on sync.connection
for each row
execute function sync.note_change('access_token', 'refresh_token');

create trigger note_change
after update on sync.connection
for each row
when (
    (old.realm_id, old.status, old.connected_at, old.connected_by)
    is distinct from (new.realm_id, new.status, new.connected_at, new.connected_by)
)
execute function sync.note_change('access_token', 'refresh_token');

create trigger note_change
after insert or update or delete on sync.company_setting
for each row
execute function sync.note_change();

create trigger note_change
after insert or update or delete on sync.account_mapping
for each row
execute function sync.note_change();

create trigger note_change
after update on sync.problem
for each row
when (old.decided_at is distinct from new.decided_at)
execute function sync.note_change('message', 'cure');

create trigger note_added
after insert or delete on sync.alert_channel
for each row
execute function sync.note_change();

create trigger note_removed
after update on sync.alert_channel
for each row
when (old.removed_at is distinct from new.removed_at)
execute function sync.note_change();

create trigger note_change
after insert or update or delete on outbox.decision
for each row
execute function sync.note_change('snapshot');

-- A verdict, in a few bytes.
create function peakflo.digest_verdict(kept peakflo.reminder_verdict) returns bytea
language sql immutable
return
sha256(
    convert_to(
        jsonb_build_array(
            kept.company_id, kept.reminder_run_id, kept.run_id, kept.invoice_id, kept.customer_id, kept.verdict,
            kept.reasons, kept.amount_due, kept.currency, kept.due_date, kept.due_date_basis, kept.customer_total_due,
            kept.customer_total_overdue, kept.qbo_sync_token, extract(epoch from kept.read_at),
            extract(epoch from kept.judged_at), extract(epoch from kept.expires_at), kept.evidence, kept.rules_version
        )::text,
        'UTF8'
    )
);

-- What is kept of the verdicts of each run, in a few bytes.
create view peakflo.verdict_digest as
select
    company_id,
    run_id,
    count(*) as verdicts,
    encode(
        sha256(string_agg(peakflo.digest_verdict(kept), ''::bytea order by reminder_run_id, invoice_id)), 'hex'
    ) as digest
from peakflo.reminder_verdict as kept
group by company_id, run_id;

create index on peakflo.reminder_verdict (company_id, run_id);

-- Vouch for what there is of the verdicts of each run of which some were kept or forgotten.
create function peakflo.vouch_for_verdicts() returns trigger
language plpgsql security definer set search_path = pg_catalog as $$
begin
    insert into sync.audit (company_id, act, facts)
    select
        run.company_id,
        case tg_op when 'INSERT' then 'verdicts.keep' else 'verdicts.forget' end,
        jsonb_build_object('run_id', run.run_id, 'verdicts', coalesce(kept.verdicts, 0), 'digest', kept.digest)
    from (select distinct company_id, run_id from touched) as run
    left join lateral (
        select digest.verdicts, digest.digest
        from peakflo.verdict_digest as digest
        where digest.company_id = run.company_id and digest.run_id = run.run_id
    ) as kept on true
    order by run.company_id, run.run_id;
    return null;
end
$$;

create trigger vouch_for_kept
after insert on peakflo.reminder_verdict
referencing new table as touched
for each statement execute function peakflo.vouch_for_verdicts();

create trigger vouch_for_forgotten
after delete on peakflo.reminder_verdict
referencing old table as touched
for each statement execute function peakflo.vouch_for_verdicts();

-- What is kept of a move, in a few bytes.
create function outbox.digest_move(moved outbox.move) returns text
language sql immutable
return
encode(
    sha256(
        convert_to(
            jsonb_build_array(
                moved.move_id, moved.record_id, moved.from_state, moved.to_state, moved.why, moved.request_id,
                moved.intuit_tid, moved.run_id, extract(epoch from moved.moved_at)
            )::text,
            'UTF8'
        )
    ),
    'hex'
);

-- Vouch for the moves that were made, and say which were forgotten: of these there is nothing left to digest.
create function outbox.vouch_for_moves() returns trigger
language plpgsql security definer set search_path = pg_catalog as $$
begin
    insert into sync.audit (company_id, act, facts)
    select
        record.company_id,
        case tg_op when 'INSERT' then 'payment.move' else 'payment.forget_move' end,
        jsonb_build_object(
            'payment_id', record.payment_id, 'document', record.document, 'move_id', moved.move_id,
            'from', moved.from_state, 'to', moved.to_state, 'digest', outbox.digest_move(kept)
        )
    from touched as moved
    inner join outbox.record as record on moved.record_id = record.record_id
    left join outbox.move as kept on moved.move_id = kept.move_id
    order by record.company_id, moved.move_id;
    return null;
end
$$;

create trigger vouch_for_made
after insert on outbox.move
referencing new table as touched
for each statement execute function outbox.vouch_for_moves();

create trigger vouch_for_forgotten
after delete on outbox.move
referencing old table as touched
for each statement execute function outbox.vouch_for_moves();
