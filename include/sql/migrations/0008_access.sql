-- Which of the database's users may do what, and see which companies' rows. The users are made before, by
-- include/databases.py; whatever they may not do, the owner of the schemas may.

-- Who sees and acts on which companies: users and groups of the pages, and users of the database that belong to
-- peakflo_app. Everybody sees all companies as long as none of their kind is named.
create table sync.company_member (
    member_kind text not null check (member_kind in ('user', 'group', 'login')),
    member text not null,
    -- '*' for all.
    company_id text not null,
    primary key (member_kind, member, company_id)
);

create trigger note_change
after insert or update or delete on sync.company_member
for each row
execute function sync.note_change();

-- For whom this session works: companies' ids, with commas between them, or '*' for all; nobody, as long as it does not
-- say. A login that is named sees no others than it is named for.
create function sync.seen_companies() returns text[]
language sql stable security definer set search_path = pg_catalog
return (
    select coalesce(array_agg(said.company_id), '{}')
    from string_to_array(current_setting('receivables.companies', true), ',') as list (ids)
    cross join unnest(list.ids) as said (company_id)
    where
        not exists (
            select
            from sync.company_member as named
            where named.member_kind = 'login' and named.member = session_user
        )
        or exists (
            select
            from sync.company_member as named
            where
                named.member_kind = 'login'
                and named.member = session_user
                and named.company_id in (said.company_id, '*')
        )
);

do $$
declare
    kept record;
    seen constant text = '''*'' = any((select sync.seen_companies())::text[])';
    seen_row text;
begin
    for kept in
        select
            relation.oid::regclass as name,
            namespace.nspname as schema,
            array_agg(attribute.attname::text) as columns
        from pg_class as relation
        inner join pg_namespace as namespace on relation.relnamespace = namespace.oid
        inner join pg_attribute as attribute on relation.oid = attribute.attrelid
        where
            relation.relkind in ('r', 'p')
            and namespace.nspname in ('staging', 'mapping', 'peakflo', 'sync', 'outbox', 'proof')
            -- Rows are copied into it, which row-level security does not have: nobody but the sync may read it.
            and relation.oid <> 'staging.record'::regclass
        group by relation.oid, namespace.nspname
    loop
        seen_row := case
            when 'company_id' = any(kept.columns)
                then seen || ' or company_id = '''' or company_id = any((select sync.seen_companies())::text[])'
            when 'realm_id' = any(kept.columns)
                then seen || ' or realm_id in (select connection.realm_id from sync.connection as connection)'
            when 'proof_id' = any(kept.columns)
                then seen || ' or proof_id in (select proof.proof_id from proof.proof as proof)'
            when 'record_id' = any(kept.columns)
                then seen || ' or record_id in (select record.record_id from outbox.record as record)'
            when 'alert_id' = any(kept.columns)
                then seen || ' or alert_id in (select alert.alert_id from sync.alert as alert)'
            -- Of no company: what concerns the app as a whole.
            else 'true'
        end;
        execute format('alter table %s enable row level security', kept.name);
        execute format('create policy sync on %s to receivables_sync using (true)', kept.name);
        execute format('create policy pages on %s to receivables_pages using (%s)', kept.name, seen_row);
        if kept.schema = 'peakflo' then
            execute format(
                'create policy app on %s to peakflo_app using (company_id = any((select sync.seen_companies())::text[]))',
                kept.name
            );
        end if;
    end loop;

    -- A view shows those who look what they may see, not what its owner may.
    for kept in
        select relation.oid::regclass as name
        from pg_class as relation
        inner join pg_namespace as namespace on relation.relnamespace = namespace.oid
        where
            relation.relkind = 'v'
            and namespace.nspname in ('staging', 'mapping', 'peakflo', 'sync', 'outbox', 'proof')
    loop
        execute format('alter view %s set (security_invoker = true)', kept.name);
    end loop;
end
$$;

-- It is read to find out for whom a session works.
alter policy pages on sync.company_member using (true);

-- It reads and counts for all companies, as Intuit's deliveries are for all of them.
create policy webhook on sync.connection for select to receivables_webhook using (true);
create policy webhook on sync.webhook_event to receivables_webhook using (true);
create policy webhook on sync.webhook_proof to receivables_webhook using (true);
create policy webhook on sync.webhook_count to receivables_webhook using (true);

-- Peakflo takes and cancels payments of its own; QuickBooks' are not its to touch.
create policy own_taken on peakflo.payment as restrictive for insert to peakflo_app with check (origin = 'peakflo');
create policy own_cancelled on peakflo.payment as restrictive for update to peakflo_app using (origin = 'peakflo');
create policy own_applied on peakflo.payment_allocation as restrictive for insert to peakflo_app
with check (
    exists (
        select
        from peakflo.payment as payment
        where
            payment.company_id = payment_allocation.company_id
            and payment.id = payment_allocation.payment_id
            and payment.origin = 'peakflo'
            -- In the transaction that takes it: from its commit on, the payment may be sent.
            and payment.created_at = now()
    )
);

-- What is deleted of what must not change is deleted by these alone, and never what is younger.
create function peakflo.prune_verdicts(kept_for interval, most bigint) returns setof uuid
language plpgsql security definer set search_path = pg_catalog as $$
begin
    if kept_for < interval '30 days' then
        raise check_violation using message = format('Verdicts are kept for 30 days at least, not for %s.', kept_for);
    end if;
    return query
    with old as (
        select
            verdict.company_id,
            verdict.reminder_run_id,
            verdict.invoice_id,
            verdict.run_id
        from peakflo.reminder_verdict as verdict
        where
            verdict.judged_at < now() - kept_for
            -- The last word on an invoice stays.
            and exists (
                select
                from peakflo.reminder_verdict as later
                where
                    later.company_id = verdict.company_id
                    and later.invoice_id = verdict.invoice_id
                    and (later.judged_at, later.run_id) > (verdict.judged_at, verdict.run_id)
            )
        order by verdict.judged_at
        limit most
    )

    delete from peakflo.reminder_verdict as verdict
    using old
    where
        verdict.company_id = old.company_id
        and verdict.reminder_run_id = old.reminder_run_id
        and verdict.invoice_id = old.invoice_id
        and verdict.run_id = old.run_id
    returning verdict.invoice_id;
end
$$;

create function outbox.prune_moves(kept_for interval, most bigint) returns setof bigint
language plpgsql security definer set search_path = pg_catalog as $$
begin
    if kept_for < interval '30 days' then
        raise check_violation using message = format('Moves are kept for 30 days at least, not for %s.', kept_for);
    end if;
    return query
    with old as (
        select move.move_id
        from outbox.move as move
        inner join outbox.record as record on move.record_id = record.record_id
        inner join outbox.delivery as delivery
            on record.company_id = delivery.company_id and record.payment_id = delivery.payment_id
        where
            move.moved_at < now() - kept_for
            and delivery.kind = 'agrees'
            and delivery.since < now() - kept_for
        order by move.move_id
        limit most
    )

    delete from outbox.move as move
    using old
    where move.move_id = old.move_id
    returning move.move_id;
end
$$;

-- Keep others from changing a payment until the transaction ends: whoever decides about one need not change it.
create function outbox.lock_payment(of_company text, of_payment uuid) returns void
language plpgsql security definer set search_path = pg_catalog as $$
begin
    perform from peakflo.payment where company_id = of_company and id = of_payment for no key update;
end
$$;

revoke all on schema public from public;

grant usage on schema staging, mapping, peakflo, sync, outbox, proof to receivables_sync, receivables_pages;
grant usage on schema sync to receivables_webhook;
grant usage on schema peakflo to peakflo_app;

-- The sync does all of it, but for what nobody changes.
grant select, insert, update, delete on all tables in schema staging, mapping, peakflo, sync, outbox, proof
to receivables_sync;
revoke insert, update, delete
on sync.audit, sync.audit_head, sync.company_member, outbox.record, outbox.move, outbox.allowed_move
from receivables_sync;
revoke update, delete on peakflo.reminder_verdict, outbox.decision from receivables_sync;

-- The pages see, and write what people do there.
grant select on all tables in schema staging, mapping, peakflo, sync, outbox, proof to receivables_pages;
revoke select on staging.record, sync.audit, sync.audit_head from receivables_pages;
grant insert, update, delete on sync.connect_request, sync.account_mapping to receivables_pages;
grant insert, update on sync.connection, peakflo.company to receivables_pages;
grant insert (company_id, auto_sync), update (auto_sync) on sync.company_setting to receivables_pages;
grant update (state, decision, decided_by, decided_at, resolved_at, message, cure, actor, last_seen_at)
on sync.problem to receivables_pages;
grant insert on sync.problem, sync.alert_channel, outbox.decision, staging.unmerged to receivables_pages;
-- Where a payment stands once somebody has decided; what QuickBooks has of it is not the pages' to say.
grant update (kind, code, sentence, since) on outbox.delivery to receivables_pages;
grant delete on outbox.queue to receivables_pages;
grant update (removed_at) on sync.alert_channel to receivables_pages;
grant update (target_id, target_source_id) on peakflo.payment_allocation to receivables_pages;

-- Of Intuit's deliveries, what it takes to keep the events of companies that are connected.
grant select (company_id, realm_id, status) on sync.connection to receivables_webhook;
grant select, insert on sync.webhook_event to receivables_webhook;
grant select, insert, update on sync.webhook_proof, sync.webhook_count to receivables_webhook;

-- Peakflo reads what is its own, takes payments, says that they have settled, and cancels them.
grant select on all tables in schema peakflo to peakflo_app;
grant insert (
    company_id, id, realm_id, customer_id, payment_date, amount, currency, exchange_rate, method, reference, note,
    wallet, deposit_account_id, processing_fee, settled_at
) on peakflo.payment to peakflo_app;
grant update (status, settled_at) on peakflo.payment to peakflo_app;
grant insert (
    company_id, payment_id, position, target_type, target_id, amount, withholding_tax_amount, withholding_tax_type,
    rounding_amount
) on peakflo.payment_allocation to peakflo_app;

-- What runs with the owner's rights is for those alone who need it.
revoke execute on function
outbox.enqueue, outbox.move, outbox.begin, outbox.prune_moves, outbox.lock_payment, peakflo.prune_verdicts,
sync.note_act
from public;
grant execute on function
outbox.enqueue, outbox.move, outbox.begin, outbox.prune_moves, outbox.lock_payment, peakflo.prune_verdicts,
sync.note_act
to receivables_sync;
grant execute on function outbox.enqueue, outbox.lock_payment, sync.note_act to receivables_pages;

-- Where rows of a company are, and which: those of its id, and of books that no other company is connected to. Tokens
-- are nobody's to take along.
create function sync.company_rows(of_company text) returns table (relation regclass, columns text, condition text)
language sql stable as $$
    with book as (
        select realm_id from sync.connection where company_id = of_company
        union
        select realm_id from peakflo.company where company_id = of_company
        union
        select realm_id from sync.run where company_id = of_company
        except
        select realm_id from sync.connection where company_id <> of_company
    ),

    kept as (
        select
            relation.oid::regclass as relation,
            array_agg(attribute.attname::text) as names,
            string_agg(format('%I', attribute.attname), ', ' order by attribute.attnum) filter (
                where attribute.attname not in ('access_token', 'refresh_token')
            ) as columns
        from pg_class as relation
        inner join pg_namespace as namespace on relation.relnamespace = namespace.oid
        inner join pg_attribute as attribute on relation.oid = attribute.attrelid
        where
            relation.relkind = 'r'
            and namespace.nspname in ('staging', 'mapping', 'peakflo', 'sync', 'outbox', 'proof')
            and attribute.attnum > 0
            and not attribute.attisdropped
        group by relation.oid
    ),

    found as (
        select
            kept.relation,
            kept.columns,
            case
                when 'company_id' = any(kept.names) then format('company_id = %L', of_company)
                when 'realm_id' = any(kept.names)
                    then format('realm_id = any(%L)', (select coalesce(array_agg(realm_id), '{}') from book))
                when 'record_id' = any(kept.names)
                    then format('record_id in (select record_id from outbox.record where company_id = %L)', of_company)
                when 'proof_id' = any(kept.names)
                    then format('proof_id in (select proof_id from proof.proof where company_id = %L)', of_company)
                when 'alert_id' = any(kept.names)
                    then format('alert_id in (select alert_id from sync.alert where company_id = %L)', of_company)
            end as condition
        from kept
    )

    select
        found.relation,
        found.columns,
        found.condition
    from found
    where found.condition is not null
    order by found.relation::text
$$;

-- Delete all rows of a company, in whatever order they let themselves be deleted, and with those that triggers write
-- meanwhile. It is for the owner alone.
create function sync.erase_company(of_company text) returns void
language plpgsql as $$
declare
    place record;
    -- Of its books, too, which nobody could tell any more once their company is gone.
    places constant jsonb = (select jsonb_agg(to_jsonb(listed)) from sync.company_rows(of_company) as listed);
    deleted bigint;
    is_left boolean = true;
begin
    while is_left loop
        is_left := false;
        for place in select * from jsonb_to_recordset(places) as listed (relation text, condition text) loop
            begin
                execute format('delete from %s where %s', place.relation, place.condition);
                get diagnostics deleted = row_count;
                is_left := is_left or deleted > 0;
            exception when foreign_key_violation then
                is_left := true;
            end;
        end loop;
    end loop;
end
$$;
