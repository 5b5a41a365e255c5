-- Queue what Peakflo took, in the transaction that settles it, and keep what was tried to bring it to QuickBooks.
-- A payment and its allocations belong into one transaction: from its commit on, the payment may be sent.
alter table outbox.delivery
-- A stable name of why it is held, rejected or undecided.
add column code text,
-- The last time that the request left; first_sent_at is the first time that this generation's did.
add column sent_at timestamptz,
drop constraint delivery_state_check,
add constraint delivery_state_check check (
    state in (
        'queued', 'sending', 'delivered', 'held', 'rejected', 'unknown', 'possible_orphan', 'ignored', 'withdrawn'
    )
),
-- A new generation of a delivery takes the place of the one before, whose attempts are kept.
drop constraint delivery_company_id_payment_id_leg_operation_generation_key,
add unique (company_id, payment_id, leg, operation);

create index on outbox.delivery (realm_id, (payload ->> 'PaymentRefNum')) where leg = 'payment';
create index on outbox.delivery (realm_id, qbo_id) where qbo_id is not null;

-- Each time that QuickBooks was asked to carry a delivery out, or whether it had.
create table outbox.attempt (
    attempt_id bigint generated always as identity primary key,
    delivery_id bigint not null references outbox.delivery,
    -- The sync.run that made it.
    run_id bigint not null,
    request_id text not null,
    action text not null check (action in ('send', 'search')),
    started_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz,
    -- Null: the process ended before there was an answer.
    outcome text check (outcome in ('delivered', 'found', 'not_found', 'rejected', 'not_admitted', 'unknown')),
    intuit_tid text,
    error text
);

create index on outbox.attempt (delivery_id);

-- The same for each attempt at a leg and operation of a payment; Intuit: 50 characters at most.
create function outbox.request_id(leg text, operation text, payment_id uuid, generation integer) returns text
language sql immutable strict parallel safe
return
'pf-'
|| left(leg, 1)
|| case operation when 'void' then 'v' else '' end
|| '-'
|| replace(payment_id::text, '-', '')
|| case when generation > 0 then '-g' || generation else '' end;

-- What the lines of a payment's JSON apply to which transactions, comparable between two versions of it.
create function outbox.applied(lines jsonb) returns jsonb
language sql immutable parallel safe as $$
    select coalesce(jsonb_agg(link.target order by link.target), '[]')
    from (
        select
            jsonb_build_array(
                linked.item ->> 'TxnType', linked.item ->> 'TxnId', trim_scale((line.item ->> 'Amount')::numeric)
            ) as target
        from jsonb_array_elements(lines) as line (item)
        cross join lateral jsonb_array_elements(line.item -> 'LinkedTxn') as linked (item)
    ) as link
$$;

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

-- Queue a payment once it is settled, and what undoes it once it is cancelled. Whoever changes a payment waits for
-- the moment in which it is being read to be sent, so that no change falls between.
create function outbox.queue_payment() returns trigger
language plpgsql as $$
begin
    perform 1
    from outbox.delivery
    where company_id = new.company_id and payment_id = new.id
    order by delivery_id
    for update;
    if new.status = 'active' then
        if new.settled_at is null then
            return null;
        end if;
        update outbox.delivery
        set state = 'withdrawn'
        where
            company_id = new.company_id
            and payment_id = new.id
            and operation = 'void'
            and state in ('queued', 'held', 'rejected');
        insert into outbox.delivery as kept (company_id, realm_id, payment_id, leg, operation, request_id)
        values (
            new.company_id, new.realm_id, new.id, 'payment', 'create',
            outbox.request_id('payment', 'create', new.id, 0)
        )
        on conflict (company_id, payment_id, leg, operation) do update
            set state = 'queued', code = null, reason = null
            where kept.state = 'withdrawn';
        return null;
    end if;
    update outbox.delivery
    set state = 'withdrawn', code = null, reason = null
    where
        company_id = new.company_id
        and payment_id = new.id
        and operation = 'create'
        and state in ('queued', 'held', 'rejected');
    insert into outbox.delivery (company_id, realm_id, payment_id, leg, operation, request_id)
    select
        company_id,
        realm_id,
        payment_id,
        leg,
        'void',
        outbox.request_id(leg, 'void', payment_id, 0)
    from outbox.delivery
    where
        company_id = new.company_id
        and payment_id = new.id
        and operation = 'create'
        and state in ('sending', 'delivered', 'unknown', 'possible_orphan')
    -- The payment first: what it links goes after it.
    order by leg desc
    on conflict (company_id, payment_id, leg, operation) do nothing;
    return null;
end
$$;

create trigger queue_inserted_payment
after insert on peakflo.payment
for each row
when (new.origin = 'peakflo')
execute function outbox.queue_payment();

create trigger queue_updated_payment
after update of status, settled_at on peakflo.payment
for each row
when (new.origin = 'peakflo' and (old.status, old.settled_at) is distinct from (new.status, new.settled_at))
execute function outbox.queue_payment();

-- Report that a payment was changed after it had been sent: what QuickBooks has is no longer the same.
create function outbox.report_edit(edited_company text, edited_payments uuid[]) returns void
language plpgsql as $$
begin
    perform 1
    from outbox.delivery
    where company_id = edited_company and payment_id = any(edited_payments)
    order by delivery_id
    for update;
    insert into sync.problem as kept (
        company_id, realm_id, direction, entity, qbo_id, peakflo_id, code, message, cure, actor
    )
    select
        company_id,
        min(realm_id),
        'outbound',
        'payment',
        '',
        payment_id,
        'edited_after_sending',
        'The payment was changed in Peakflo after it had been sent to QuickBooks, which keeps what was sent.',
        'Change it in QuickBooks likewise, or cancel the payment in Peakflo and enter it again.',
        'bookkeeper'
    from outbox.delivery
    where
        company_id = edited_company
        and payment_id = any(edited_payments)
        and operation = 'create'
        and state in ('sending', 'delivered', 'unknown', 'possible_orphan')
    group by company_id, payment_id
    on conflict (company_id, direction, entity, qbo_id, code, peakflo_id) where state <> 'resolved' do update
        set attempts = kept.attempts + 1, last_seen_at = now();
end
$$;

create function outbox.report_payment_edit() returns trigger
language plpgsql as $$
declare
    bookkeeping constant text[] = array[
        'source_id', 'source_updated_at', 'deleted_at', 'status', 'settled_at', 'unapplied_amount', 'created_at'
    ];
begin
    if to_jsonb(new) - bookkeeping is distinct from to_jsonb(old) - bookkeeping then
        perform outbox.report_edit(new.company_id, array[new.id]);
    end if;
    return null;
end
$$;

create trigger report_payment_edit
after update on peakflo.payment
for each row
when (new.origin = 'peakflo')
execute function outbox.report_payment_edit();

create function outbox.report_allocation_edit() returns trigger
language plpgsql as $$
begin
    perform outbox.report_edit(edited.company_id, array_agg(distinct edited.payment_id))
    from edited
    where exists (
        select 1
        from outbox.delivery as delivery
        where delivery.company_id = edited.company_id and delivery.payment_id = edited.payment_id
    )
    group by edited.company_id;
    return null;
end
$$;

create trigger report_added_allocations
after insert on peakflo.payment_allocation
referencing new table as edited
for each statement execute function outbox.report_allocation_edit();

create trigger report_changed_allocations
after update on peakflo.payment_allocation
referencing new table as edited
for each statement execute function outbox.report_allocation_edit();

create trigger report_removed_allocations
after delete on peakflo.payment_allocation
referencing old table as edited
for each statement execute function outbox.report_allocation_edit();

-- Wake whoever delivers; without a listener nothing is lost, the next round finds the delivery.
create function outbox.announce() returns trigger
language plpgsql as $$
begin
    perform pg_notify('outbox_delivery', new.company_id);
    return null;
end
$$;

create trigger announce_delivery
after insert or update of state on outbox.delivery
for each row
when (new.state = 'queued' or new.code = 'retried')
execute function outbox.announce();

-- Payments that Peakflo created have no Id in QuickBooks until they are delivered: tell their problems apart by
-- Peakflo's id.
drop index sync.problem_unresolved;

create unique index problem_unresolved
on sync.problem (company_id, direction, entity, qbo_id, code, peakflo_id) nulls not distinct
where state <> 'resolved';

-- From a payment to all that came of it: each attempt and its run, and each version that QuickBooks had of it.
create view outbox.lineage as
select
    delivery.company_id,
    delivery.realm_id,
    delivery.payment_id,
    payment.customer_id,
    payment.amount,
    payment.currency,
    payment.status as payment_status,
    delivery.delivery_id,
    delivery.leg,
    delivery.operation,
    delivery.generation,
    delivery.state,
    delivery.code,
    delivery.reason,
    delivery.qbo_id,
    delivery.sync_token as delivered_sync_token,
    delivery.queued_at,
    delivery.delivered_at,
    attempt.attempt_id,
    attempt.request_id,
    attempt.action,
    attempt.outcome,
    attempt.started_at as attempted_at,
    attempt.intuit_tid,
    attempt.error,
    run.run_id,
    run.dag_id,
    run.dag_run_id,
    run.try_number,
    echo.sync_token as staged_sync_token,
    echo.deleted_at as staged_deleted_at,
    echo.versions as staged_versions
from outbox.delivery as delivery
left join peakflo.payment as payment
    on delivery.company_id = payment.company_id and delivery.payment_id = payment.id
left join outbox.attempt as attempt on delivery.delivery_id = attempt.delivery_id
left join sync.run as run on attempt.run_id = run.run_id
left join lateral (
    select
        max(version.sync_token) as sync_token,
        max(version.deleted_at) as deleted_at,
        jsonb_agg(
            jsonb_build_object(
                'sync_token', version.sync_token, 'read_at', version.read_at, 'run_id', version.run_id
            )
            order by version.read_at
        ) as versions
    from staging.version as version
    where
        version.realm_id = delivery.realm_id
        and version.qbo_id = delivery.qbo_id
        and version.entity = case delivery.leg when 'payment' then 'payment' else 'journal_entry' end
) as echo on true;
