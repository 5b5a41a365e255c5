-- What Peakflo's payments are in QuickBooks: each record that was made or may have been made, exactly one at a time.
create schema outbox;

-- One row per record of QuickBooks that we made or may have made; never reset: what must not be taken for an earlier
-- try is a new generation.
create table outbox.record (
    record_id bigint generated always as identity primary key,
    company_id text not null,
    realm_id text not null,
    payment_id uuid not null,
    document text not null check (document in ('payment', 'journal_entry')),
    generation integer not null,
    -- QuickBooks answers a repeated request id with the first answer; it takes 50 characters at most.
    request_id text not null check (length(request_id) <= 50),
    state text not null,
    -- Why its state is what it is, if that needs a word: QuickBooks' fault code or one of ours.
    code text,
    reason text,
    -- Null of one that was found without having been sent by this database.
    payload jsonb,
    -- What Peakflo said of the payment when it was sent.
    sent_snapshot jsonb,
    -- How often the request left that is undecided, or was last.
    sends integer not null default 0,
    -- Committed before the request leaves: from then on the record may exist in QuickBooks.
    first_sent_at timestamptz,
    sent_at timestamptz,
    -- When QuickBooks was last asked whether it has it.
    looked_at timestamptz,
    made_at timestamptz,
    qbo_id text,
    -- The version that QuickBooks answered with, or that was found.
    sync_token integer,
    response jsonb,
    -- The newest version that whoever delivers has read since; the sync's is in staging.
    read_sync_token integer,
    read_payload jsonb,
    -- How often it was to be undone, and in which version.
    undo_count integer not null default 0,
    undone_sync_token integer,
    created_at timestamptz not null default clock_timestamp(),
    unique (company_id, payment_id, document, generation),
    unique (realm_id, request_id),
    -- A payment that may be in QuickBooks is cancelled, never removed: nothing would undo it there.
    foreign key (company_id, payment_id) references peakflo.payment
);

-- At most one living record of a payment and document.
create unique index record_living on outbox.record (company_id, payment_id, document)
where state in ('intended', 'sent', 'unknown', 'made', 'undoing');

create unique index record_in_quickbooks on outbox.record (realm_id, document, qbo_id) where qbo_id is not null;
create index on outbox.record (payment_id);
create index on outbox.record (company_id) where state in ('sent', 'unknown', 'undoing');

-- The moves that there are.
create table outbox.allowed_move (
    from_state text not null,
    to_state text not null,
    meaning text not null,
    primary key (from_state, to_state)
);

insert into outbox.allowed_move (from_state, to_state, meaning) values
('intended', 'sent', 'its request leaves'),
('intended', 'made', 'it is found in QuickBooks'),
('intended', 'absent', 'it is not wanted any more and never left'),
('sent', 'intended', 'QuickBooks turned the request away unread'),
('sent', 'unknown', 'the answer was lost, or proves nothing'),
('sent', 'made', 'QuickBooks made it, or it is found there'),
('sent', 'refused', 'QuickBooks refused it, which proves that nothing was made'),
('unknown', 'sent', 'the same request leaves once more'),
('unknown', 'unknown', 'it was looked for'),
('unknown', 'made', 'it is found in QuickBooks'),
('unknown', 'absent', 'it is not in QuickBooks'),
('unknown', 'refused', 'it was refused twice and is not in QuickBooks'),
('absent', 'unknown', 'it was looked for once more'),
('absent', 'made', 'it is met in QuickBooks after all'),
('refused', 'absent', 'it is not wanted any more'),
('refused', 'made', 'it is met in QuickBooks after all'),
('made', 'undoing', 'the request that voids or deletes it leaves'),
('made', 'made', 'it was read'),
('made', 'gone', 'it was voided or deleted in QuickBooks by hand'),
('undoing', 'undoing', 'the same request leaves once more, or it was read'),
('undoing', 'undone', 'QuickBooks has voided or deleted it'),
('undoing', 'made', 'it is as it was, or has a newer version'),
('gone', 'undone', 'Peakflo wants it undone, too'),
('gone', 'made', 'it was given money again in QuickBooks by hand'),
('undone', 'made', 'it was given money again in QuickBooks by hand, and is wanted');

-- What happened to each record: who moved it, in which run, and why.
create table outbox.move (
    move_id bigint generated always as identity primary key,
    record_id bigint not null references outbox.record,
    from_state text,
    to_state text not null,
    why text not null,
    request_id text,
    intuit_tid text,
    -- The sync.run that moved it.
    run_id bigint not null,
    moved_at timestamptz not null default clock_timestamp()
);

create index on outbox.move (record_id);

-- Move a record on: the only way to. What the move brings stands in facts, by the names of the columns.
create function outbox.move(
    moved_id bigint, new_state text, by_run bigint, because text, facts jsonb default '{}', tid text default null
) returns void
language plpgsql security definer set search_path = pg_catalog as $$
declare
    before outbox.record;
    -- What becomes of a request to undo, while nobody knows whether it is carried out, leaves the record undoing, too.
    leaves constant boolean = new_state = 'sent' or (new_state = 'undoing' and facts ? 'request_id');
begin
    select * into before from outbox.record where record_id = moved_id for update;
    if not exists (
        select from outbox.allowed_move where from_state = before.state and to_state = new_state
    ) then
        raise check_violation using
            message = format('Record %s is %s: it cannot become %s.', moved_id, before.state, new_state);
    end if;
    update outbox.record
    set
        state = new_state,
        code = facts ->> 'code',
        reason = facts ->> 'reason',
        payload = coalesce(facts -> 'payload', payload),
        sent_snapshot = coalesce(facts -> 'sent_snapshot', sent_snapshot),
        qbo_id = coalesce(facts ->> 'qbo_id', qbo_id),
        sync_token = coalesce((facts ->> 'sync_token')::integer, sync_token),
        response = coalesce(facts -> 'response', response),
        read_sync_token = coalesce((facts ->> 'read_sync_token')::integer, read_sync_token),
        read_payload = coalesce(facts -> 'read_payload', read_payload),
        undone_sync_token = coalesce((facts ->> 'undone_sync_token')::integer, undone_sync_token),
        undo_count = undo_count + (before.state = 'made' and new_state = 'undoing')::integer,
        sends = case
            when not leaves then sends
            when before.state in ('intended', 'made') then 1
            else sends + 1
        end,
        first_sent_at = case
            when new_state = 'intended' then null
            when leaves and before.state in ('intended', 'made') then clock_timestamp()
            else first_sent_at
        end,
        sent_at = case when new_state = 'intended' then null when leaves then clock_timestamp() else sent_at end,
        looked_at = case when facts ? 'looked' then clock_timestamp() else looked_at end,
        made_at = case when new_state = 'made' then coalesce(made_at, clock_timestamp()) else made_at end
    where record_id = moved_id;
    insert into outbox.move (record_id, from_state, to_state, why, request_id, intuit_tid, run_id)
    values (
        moved_id, before.state, new_state, because,
        case when leaves then coalesce(facts ->> 'request_id', before.request_id) end, tid, by_run
    );
    if before.document = 'payment' and (before.state = 'made') <> (new_state = 'made') then
        perform outbox.identify(moved_id);
    end if;
end
$$;

-- Say who a payment is in QuickBooks, as soon as its record is there: from then on its echo is recognised.
create function outbox.identify(identified_id bigint) returns void
language plpgsql as $$
declare
    record outbox.record;
begin
    select * into record from outbox.record where record_id = identified_id;
    if record.state = 'made' then
        -- Another record that was taken for the payment stays Peakflo's.
        update mapping.record as mapped
        set peakflo_id = mapping.peakflo_id(mapped.realm_id, mapped.entity, mapped.qbo_id)
        where
            mapped.realm_id = record.realm_id
            and mapped.entity = 'payment'
            and mapped.peakflo_id = record.payment_id
            and mapped.qbo_id <> record.qbo_id;
        insert into mapping.record (realm_id, entity, qbo_id, peakflo_id, origin)
        values (record.realm_id, 'payment', record.qbo_id, record.payment_id, 'peakflo')
        on conflict (realm_id, qbo_id, entity) do update
            set peakflo_id = excluded.peakflo_id, origin = excluded.origin;
    end if;
    update peakflo.payment
    set source_id = case when record.state = 'made' then record.qbo_id end
    where
        company_id = record.company_id
        and id = record.payment_id
        and source_id is distinct from case when record.state = 'made' then record.qbo_id end;
end
$$;

-- Where each payment of Peakflo's stands, and by which number people know it.
create table outbox.delivery (
    delivery_id bigint generated always as identity primary key,
    company_id text not null,
    realm_id text not null,
    payment_id uuid not null,
    kind text not null default 'waits' check (kind in ('agrees', 'waits', 'differs', 'ignored')),
    code text not null default 'queued',
    sentence text,
    queued_at timestamptz not null default clock_timestamp(),
    since timestamptz not null default clock_timestamp(),
    unique (company_id, payment_id)
);

create index on outbox.delivery (company_id, kind) where kind <> 'agrees';

-- The payments to look at again: something changed on either side.
create table outbox.queue (
    company_id text not null,
    payment_id uuid not null,
    queued_at timestamptz not null default clock_timestamp(),
    primary key (company_id, payment_id)
);

-- What people decided about a difference of a payment, and never changes.
create table outbox.decision (
    decision_id bigint generated always as identity primary key,
    company_id text not null,
    payment_id uuid not null,
    kind text not null check (kind in ('ignore', 'retry', 'relink', 'approve')),
    code text not null,
    -- Of the difference that it is about.
    fingerprint text not null,
    -- Whether the payment is settled otherwise, and not to be sent any more.
    lets_go boolean not null default false,
    -- What Peakflo said of the payment then.
    snapshot jsonb not null,
    decided_by text not null,
    decided_at timestamptz not null default clock_timestamp()
);

create index on outbox.decision (company_id, payment_id);

-- Queue a payment to be looked at, and wake whoever delivers; without a listener nothing is lost, the next round finds
-- it.
create function outbox.enqueue(of_company text, of_payments uuid[]) returns void
language plpgsql security definer set search_path = pg_catalog as $$
begin
    insert into outbox.delivery (company_id, realm_id, payment_id)
    select company_id, realm_id, id
    from peakflo.payment
    where company_id = of_company and id = any(of_payments) and origin = 'peakflo'
    order by created_at, id
    on conflict do nothing;
    insert into outbox.queue (company_id, payment_id)
    select of_company, payment_id
    from unnest(of_payments) as payment (payment_id)
    order by payment_id
    on conflict (company_id, payment_id) do update set queued_at = excluded.queued_at;
    if cardinality(of_payments) > 0 then
        perform pg_notify('outbox_delivery', of_company);
    end if;
end
$$;

-- Begin a record of a payment, which at once becomes what it is to be.
create function outbox.begin(
    of_company text,
    of_realm text,
    of_payment uuid,
    of_document text,
    of_generation integer,
    with_request_id text,
    new_state text,
    by_run bigint,
    because text,
    facts jsonb
) returns bigint
language plpgsql security definer set search_path = pg_catalog as $$
declare
    begun_id bigint;
begin
    insert into outbox.record (company_id, realm_id, payment_id, document, generation, request_id, state)
    values (of_company, of_realm, of_payment, of_document, of_generation, with_request_id, 'intended')
    returning record_id into begun_id;
    perform outbox.move(begun_id, new_state, by_run, because, facts);
    return begun_id;
end
$$;

-- Queue a payment of Peakflo's that was taken or changed, in the transaction that does it. A payment and its
-- allocations belong into one transaction: from its commit on, the payment may be sent.
create function outbox.queue_payment() returns trigger
language plpgsql security definer set search_path = pg_catalog as $$
declare
    bookkeeping constant text[] = array['source_id', 'source_updated_at', 'deleted_at', 'unapplied_amount'];
begin
    if tg_op = 'UPDATE' and to_jsonb(new) - bookkeeping = to_jsonb(old) - bookkeeping then
        return null;
    end if;
    perform outbox.enqueue(new.company_id, array[new.id]);
    return null;
end
$$;

create trigger queue_payment
after insert or update on peakflo.payment
for each row
when (new.origin = 'peakflo')
execute function outbox.queue_payment();

create function outbox.queue_allocations() returns trigger
language plpgsql security definer set search_path = pg_catalog as $$
begin
    perform outbox.enqueue(payment.company_id, array_agg(payment.id))
    from (select distinct company_id, payment_id from edited) as allocation
    inner join peakflo.payment as payment
        on allocation.company_id = payment.company_id and allocation.payment_id = payment.id
    where payment.origin = 'peakflo'
    group by payment.company_id;
    return null;
end
$$;

create trigger queue_added_allocations
after insert on peakflo.payment_allocation
referencing new table as edited
for each statement execute function outbox.queue_allocations();

create trigger queue_changed_allocations
after update on peakflo.payment_allocation
referencing new table as edited
for each statement execute function outbox.queue_allocations();

create trigger queue_removed_allocations
after delete on peakflo.payment_allocation
referencing old table as edited
for each statement execute function outbox.queue_allocations();

create function outbox.queue_decided() returns trigger
language plpgsql security definer set search_path = pg_catalog as $$
begin
    perform outbox.enqueue(new.company_id, array[new.payment_id]);
    return null;
end
$$;

create trigger queue_decided
after insert on outbox.decision
for each row execute function outbox.queue_decided();

-- Queue all payments of a company that have not come to rest: what they wait for may be there.
create function outbox.queue_company() returns trigger
language plpgsql security definer set search_path = pg_catalog as $$
begin
    perform outbox.enqueue(company_id, array_agg(payment_id))
    from outbox.delivery
    where company_id = coalesce(new.company_id, old.company_id) and kind <> 'agrees'
    group by company_id;
    return null;
end
$$;

create trigger queue_mapped
after insert or update or delete on sync.account_mapping
for each row execute function outbox.queue_company();

create trigger queue_switched
after insert or update on sync.company_setting
for each row execute function outbox.queue_company();

create trigger queue_connected
after update of status, realm_id on sync.connection
for each row
when ((old.status, old.realm_id) is distinct from (new.status, new.realm_id))
execute function outbox.queue_company();

-- Tell whether a customer may pay for another one: for itself and for its sub-customers.
create function outbox.pays_for(of_company text, payer uuid, owner uuid) returns boolean
language sql stable parallel safe as $$
    with recursive ancestor as (
        select owner as id
        union
        select customer.parent_id
        from ancestor
        inner join peakflo.customer as customer on customer.company_id = of_company and ancestor.id = customer.id
        where customer.parent_id is not null
    )

    select exists (select from ancestor where ancestor.id = payer)
$$;

-- Whose a payment of Peakflo's is by now: its customer's, or that one's into whom QuickBooks merged it. If the customer
-- is gone and nobody knows into whom, the invoices say it that the payment settles, once they are one other customer's.
create function outbox.payer(of_company text, of_payment uuid) returns uuid
language sql stable parallel safe as $$
    select coalesce(survivor.id, heir.customer_id, customer.id)
    from peakflo.payment as payment
    inner join peakflo.customer as customer
        on payment.company_id = customer.company_id and payment.customer_id = customer.id
    left join mapping.customer_merge as merge
        on payment.realm_id = merge.realm_id and payment.customer_id = merge.peakflo_id
    left join peakflo.customer as survivor
        on payment.company_id = survivor.company_id and merge.survivor_id = survivor.id
    left join lateral (
        select (array_agg(invoice.customer_id))[1] as customer_id
        from peakflo.payment_allocation as allocation
        inner join peakflo.invoice as invoice
            on
                allocation.company_id = invoice.company_id
                and allocation.target_id = invoice.id
                and payment.realm_id = invoice.realm_id
        where
            customer.status <> 'active'
            and allocation.company_id = payment.company_id
            and allocation.payment_id = payment.id
            and allocation.target_type = 'invoice'
        having
            count(distinct invoice.customer_id) = 1
            and not bool_or(outbox.pays_for(of_company, customer.id, invoice.customer_id))
    ) as heir on true
    where payment.company_id = of_company and payment.id = of_payment
$$;

-- What a payment says in Peakflo, as far as QuickBooks is told.
create function outbox.snapshot(of_company text, of_payment uuid) returns jsonb
language sql stable as $$
    select
        to_jsonb(payment) - array[
            'source_id', 'source_updated_at', 'deleted_at', 'status', 'settled_at', 'unapplied_amount', 'created_at'
        ]
        || jsonb_build_object(
            'allocations',
            (
                select
                    coalesce(
                        jsonb_agg(to_jsonb(allocation) - 'target_source_id' order by allocation.position), '[]'
                    )
                from peakflo.payment_allocation as allocation
                where allocation.company_id = payment.company_id and allocation.payment_id = payment.id
            )
        )
    from peakflo.payment as payment
    where payment.company_id = of_company and payment.id = of_payment
$$;

-- Which payment of Peakflo's the note of a record names, if it does.
create function outbox.payment_id_in_note(record jsonb) returns uuid
language sql immutable parallel safe as $$
    select
        substring(
            record ->> 'PrivateNote'
            from 'Peakflo payment ([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})'
        )::uuid
$$;

-- The notes are searched in few of them.
create index on staging.payment (realm_id, outbox.payment_id_in_note(payload))
where payload ->> 'PrivateNote' like '%Peakflo payment %';

create index on staging.journal_entry (realm_id, outbox.payment_id_in_note(payload))
where payload ->> 'PrivateNote' like '%Peakflo payment %';

-- One version of a record, as decisions are told of it; nothing if there is none.
create function outbox.version(sync_token integer, content jsonb, is_there boolean) returns jsonb
language sql immutable parallel safe strict as $$
    select
        jsonb_build_object(
            'sync_token', sync_token, 'content', content, 'is_alive', is_there and not staging.is_voided(content)
        )
$$;

-- What QuickBooks, as it was last read, has of which the note names a payment of Peakflo's.
create view outbox.named_record as
select
    named.realm_id,
    named.document,
    outbox.payment_id_in_note(named.payload) as payment_id,
    named.qbo_id,
    outbox.version(named.sync_token, named.payload, named.deleted_at is null) as version
from (
    select
        realm_id,
        'payment' as document,
        qbo_id,
        sync_token,
        deleted_at,
        payload
    from staging.payment
    where payload ->> 'PrivateNote' like '%Peakflo payment %'
    union all
    select
        realm_id,
        'journal_entry' as document,
        qbo_id,
        sync_token,
        deleted_at,
        payload
    from staging.journal_entry
    where payload ->> 'PrivateNote' like '%Peakflo payment %'
) as named
where outbox.payment_id_in_note(named.payload) is not null;

-- Each record with the version that QuickBooks answered with, or that was found, and the newest one that was read
-- since, by the sync or by whoever delivers.
create view outbox.had as
select
    record.record_id,
    record.company_id,
    record.payment_id,
    record.document,
    record.generation,
    record.state,
    record.request_id,
    record.code,
    record.reason,
    record.payload,
    record.sent_snapshot,
    record.qbo_id,
    outbox.version(record.sync_token, record.response, true) as answer,
    case
        when
            staged.qbo_id is not null
            and (
                record.read_payload is null
                or staged.deleted_at is not null
                or (
                    coalesce(record.read_payload ->> 'status', '') <> 'Deleted'
                    and staged.sync_token >= record.read_sync_token
                )
            )
            then outbox.version(staged.sync_token, staged.payload, staged.deleted_at is null)
        else
            outbox.version(
                record.read_sync_token,
                record.read_payload,
                coalesce(record.read_payload ->> 'status', '') <> 'Deleted'
            )
    end as read,
    record.sends,
    record.undo_count,
    record.undone_sync_token as undone_token,
    record.first_sent_at,
    record.sent_at,
    record.looked_at
from outbox.record as record
left join staging.seen_record as staged
    on
        record.realm_id = staged.realm_id
        and record.document = staged.entity
        and record.qbo_id = staged.qbo_id;

-- From a payment to all that came of it: each record, each move of it and its run, each version that QuickBooks had of
-- it, and the run that brought that version.
create view outbox.lineage as
select
    delivery.delivery_id,
    delivery.company_id,
    delivery.payment_id,
    payment.customer_id,
    payment.amount,
    payment.currency,
    payment.status as payment_status,
    delivery.kind,
    record.record_id,
    record.realm_id,
    record.document,
    record.generation,
    record.state,
    record.code,
    record.reason,
    record.qbo_id,
    record.sync_token,
    record.created_at,
    record.made_at,
    move.move_id,
    move.from_state,
    move.to_state,
    move.why,
    move.request_id,
    move.intuit_tid,
    move.moved_at,
    run.run_id,
    run.dag_id,
    run.dag_run_id,
    run.try_number,
    echo.versions
from outbox.delivery as delivery
left join peakflo.payment as payment
    on delivery.company_id = payment.company_id and delivery.payment_id = payment.id
left join outbox.record as record
    on delivery.company_id = record.company_id and delivery.payment_id = record.payment_id
left join outbox.move as move on record.record_id = move.record_id
left join sync.run as run on move.run_id = run.run_id
left join lateral (
    select
        jsonb_agg(
            jsonb_build_object(
                'sync_token', version.sync_token,
                'qbo_updated_at', version.qbo_updated_at,
                'deleted_at', version.deleted_at,
                'read_at', version.read_at,
                'run_id', version.run_id,
                'dag_id', reading.dag_id,
                'dag_run_id', reading.dag_run_id
            )
            order by version.read_at
        ) as versions
    from staging.version as version
    left join sync.run as reading on version.run_id = reading.run_id
    where
        version.realm_id = record.realm_id
        and version.qbo_id = record.qbo_id
        and version.entity = record.document
) as echo on true;

-- What Peakflo took and QuickBooks' balances know nothing of, for the verdicts before reminders: payments that are not
-- in QuickBooks, or may not be, and those that were voided or deleted there just now. One that a person let go of was
-- settled otherwise; one that was let go of after it had been undone in QuickBooks is as QuickBooks says.
create view outbox.outside_payment as
with outside as (
    select payment.*
    from peakflo.payment as payment
    where
        payment.origin = 'peakflo'
        and payment.source_id is null
        and payment.status = 'active'
        and payment.deleted_at is null
    union all
    select payment.*
    from outbox.queue as queue
    inner join peakflo.payment as payment
        on queue.company_id = payment.company_id and queue.payment_id = payment.id
    inner join staging.payment as staged
        on payment.realm_id = staged.realm_id and payment.source_id = staged.qbo_id
    where
        payment.status = 'active'
        and payment.deleted_at is null
        and (staged.deleted_at is not null or staging.is_voided(staged.payload))
)

select
    outside.company_id,
    outside.realm_id,
    outside.id as payment_id,
    outside.customer_id,
    outside.currency,
    outside.payment_date,
    outside.amount,
    outside.created_at,
    coalesce(decided.lets_go, false) as is_let_go
from outside
left join lateral (
    select decision.lets_go
    from outbox.decision as decision
    where
        decision.company_id = outside.company_id
        and decision.payment_id = outside.id
        and (decision.lets_go or decision.kind = 'retry')
    order by decision.decision_id desc
    limit 1
) as decided on true
where
    not coalesce(decided.lets_go, false)
    or not exists (
        select
        from outbox.record as record
        where
            record.company_id = outside.company_id
            and record.payment_id = outside.id
            and record.document = 'payment'
            and record.state = 'gone'
    );

-- What of such a payment counts for which invoice, whoever the invoice's customer is by now, and what of it is more
-- than the invoice still owes. What was let go of counts as far as the invoice was not settled otherwise since Peakflo
-- took it.
create view outbox.unbooked_allocation as
with allocated as (
    select
        outside.company_id,
        outside.realm_id,
        outside.payment_id,
        outside.payment_date,
        outside.is_let_go,
        allocation.target_id as invoice_id,
        allocation.amount + allocation.withholding_tax_amount + allocation.rounding_amount as amount,
        sum(allocation.amount + allocation.withholding_tax_amount + allocation.rounding_amount) over (
            partition by outside.company_id, allocation.target_id, outside.is_let_go
            order by outside.payment_date, outside.payment_id, allocation.position
        ) as running,
        min(outside.created_at) over (
            partition by outside.company_id, allocation.target_id, outside.is_let_go
        ) as taken_at
    from outbox.outside_payment as outside
    inner join peakflo.payment_allocation as allocation
        on outside.company_id = allocation.company_id and outside.payment_id = allocation.payment_id
    where allocation.target_type = 'invoice'
),

compared as (
    select
        allocated.*,
        case
            when allocated.is_let_go
                then
                    coalesce(invoice.total_amount - invoice.amount_due, 0)
                    - coalesce(
                        (
                            select
                                case
                                    when
                                        jsonb_typeof(version.payload -> 'TotalAmt') = 'number'
                                        and jsonb_typeof(version.payload -> 'Balance') = 'number'
                                        then
                                            (version.payload ->> 'TotalAmt')::numeric
                                            - (version.payload ->> 'Balance')::numeric
                                end
                            from staging.version as version
                            where
                                version.realm_id = invoice.realm_id
                                and version.entity = 'invoice'
                                and version.qbo_id = invoice.source_id
                                and version.read_at <= allocated.taken_at
                            order by version.read_at desc
                            limit 1
                        ),
                        0
                    )
        end as settled_since,
        case when invoice.status = 'sent' and invoice.deleted_at is null then invoice.amount_due else 0 end as due
    from allocated
    left join peakflo.invoice as invoice
        on allocated.company_id = invoice.company_id and allocated.invoice_id = invoice.id
)

select
    company_id,
    payment_id,
    payment_date,
    invoice_id,
    is_let_go,
    case
        when is_let_go then least(amount, greatest(0, running - settled_since))
        else least(amount, greatest(0, amount - (running - due)))
    end as covers,
    case when is_let_go then 0 else least(amount, greatest(0, running - due)) end as surplus
from compared;

-- What of such a payment is meant for nothing that is still open: it counts for all that its customer owes, or the one
-- it was merged into.
create view outbox.unbooked_payment as
select
    outside.company_id,
    outside.payment_id,
    coalesce(merged.survivor_id, outside.customer_id) as customer_id,
    outside.currency,
    outside.payment_date,
    case
        when outside.is_let_go then 0
        else
            greatest(
                0,
                outside.amount
                - coalesce(
                    (
                        select
                            sum(
                                case allocation.target_type
                                    when 'credit_note' then -allocation.amount else allocation.amount
                                end
                            )
                        from peakflo.payment_allocation as allocation
                        where
                            allocation.company_id = outside.company_id
                            and allocation.payment_id = outside.payment_id
                    ),
                    0
                )
            )
            + coalesce(
                (
                    select sum(allocation.surplus)
                    from outbox.unbooked_allocation as allocation
                    where
                        allocation.company_id = outside.company_id
                        and allocation.payment_id = outside.payment_id
                ),
                0
            )
    end as spare_amount
from outbox.outside_payment as outside
left join mapping.customer_merge as merged
    on outside.realm_id = merged.realm_id and outside.customer_id = merged.peakflo_id;
