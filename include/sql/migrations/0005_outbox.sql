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
    -- What Peakflo said of the payment when it was sent, to tell an edit from one that was taken back.
    said jsonb,
    state text not null default 'queued' check (
        state in (
            'queued', 'sending', 'delivered', 'held', 'rejected', 'unknown', 'possible_orphan', 'ignored', 'withdrawn'
        )
    ),
    -- A stable name of why it is held, rejected or undecided.
    code text,
    reason text,
    attempts integer not null default 0,
    queued_at timestamptz not null default now(),
    -- The first time that this generation's request left. Committed before it does: from then on the payment may exist
    -- in QuickBooks.
    first_sent_at timestamptz,
    -- The last time that it left.
    sent_at timestamptz,
    delivered_at timestamptz,
    qbo_id text,
    sync_token integer,
    response jsonb,
    unique (realm_id, request_id),
    -- A new generation of a delivery takes the place of the one before, whose attempts are kept.
    unique (company_id, payment_id, leg, operation)
);

create index on outbox.delivery (company_id, state) where state not in ('delivered', 'ignored');
create index on outbox.delivery (payment_id);
create index on outbox.delivery (realm_id, qbo_id) where qbo_id is not null;

-- Undoings that were taken back, and whose records are to be compared anew.
create index on outbox.delivery (company_id) where code = 'taken_back';

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

-- Records of QuickBooks that stood for a payment or its journal entry once: undone, and sent anew since.
create table outbox.former_record (
    delivery_id bigint not null references outbox.delivery,
    generation integer not null,
    realm_id text not null,
    leg text not null,
    qbo_id text not null,
    request_id text not null,
    payload jsonb,
    response jsonb,
    delivered_at timestamptz,
    -- The version in which Peakflo undid it; null if that was done in QuickBooks.
    undone_sync_token integer,
    retired_at timestamptz not null default now(),
    primary key (delivery_id, generation)
);

create index on outbox.former_record (realm_id, leg, qbo_id);

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
create function outbox.said(said_company text, said_payment uuid) returns jsonb
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
    where payment.company_id = said_company and payment.id = said_payment
$$;

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

-- What a payment settles as Peakflo says now, in the form of outbox.applied.
create function outbox.applied_now(said_company text, said_payment uuid) returns jsonb
language sql stable as $$
    with allocation as (
        select
            kept.*,
            kept.withholding_tax_amount + kept.rounding_amount as written_off
        from peakflo.payment_allocation as kept
        where kept.company_id = said_company and kept.payment_id = said_payment
    ),

    target as (
        select
            'Invoice' as txn_type,
            invoice.source_id as txn_id,
            sum(allocation.amount + allocation.written_off) as amount
        from allocation
        inner join peakflo.invoice as invoice
            on invoice.company_id = said_company and allocation.target_id = invoice.id
        where allocation.target_type = 'invoice'
        group by invoice.source_id
        union all
        select
            'CreditMemo' as txn_type,
            credit_note.source_id as txn_id,
            sum(allocation.amount) as amount
        from allocation
        inner join peakflo.credit_note as credit_note
            on credit_note.company_id = said_company and allocation.target_id = credit_note.id
        where allocation.target_type = 'credit_note'
        group by credit_note.source_id
        union all
        select
            'JournalEntry' as txn_type,
            (
                select adjustment.qbo_id
                from outbox.delivery as adjustment
                where
                    adjustment.company_id = said_company
                    and adjustment.payment_id = said_payment
                    and adjustment.leg = 'adjustment'
                    and adjustment.operation = 'create'
            ) as txn_id,
            abs(sum(allocation.written_off)) as amount
        from allocation
        having sum(allocation.written_off) <> 0
    )

    select
        coalesce(
            jsonb_agg(
                jsonb_build_array(txn_type, txn_id, trim_scale(amount))
                order by jsonb_build_array(txn_type, txn_id, trim_scale(amount))
            ),
            '[]'
        )
    from target
$$;

-- What the lines of a journal entry's JSON post, comparable between two versions of it; zeros post nothing.
create function outbox.posted(of_realm text, lines jsonb) returns jsonb
language sql stable parallel safe as $$
    select coalesce(jsonb_agg(posting.facts order by posting.facts), '[]')
    from (
        select
            jsonb_build_array(
                line.item #>> '{JournalEntryLineDetail,PostingType}',
                line.item #>> '{JournalEntryLineDetail,AccountRef,value}',
                mapping.survivor(of_realm, line.item #>> '{JournalEntryLineDetail,Entity,EntityRef,value}'),
                trim_scale((line.item ->> 'Amount')::numeric)
            ) as facts
        from jsonb_array_elements(lines) as line (item)
        where (line.item ->> 'Amount')::numeric <> 0
    ) as posting
$$;

-- Which payment of Peakflo's the note of a record names, if it does.
create function outbox.marked(record jsonb) returns uuid
language sql immutable parallel safe as $$
    select
        substring(
            record ->> 'PrivateNote'
            from 'Peakflo payment ([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})'
        )::uuid
$$;

-- The notes are searched in few of them.
create index on staging.payment (realm_id, outbox.marked(payload))
where payload ->> 'PrivateNote' like '%Peakflo payment %';

create index on staging.journal_entry (realm_id, outbox.marked(payload))
where payload ->> 'PrivateNote' like '%Peakflo payment %';

-- What QuickBooks, as it was last read, has that bears the mark of a payment of Peakflo's and does not stand for an
-- earlier generation of it.
create view outbox.marked_record as
select
    marked.realm_id,
    marked.leg,
    outbox.marked(marked.payload) as payment_id,
    marked.qbo_id,
    marked.sync_token,
    marked.qbo_updated_at,
    marked.payload,
    marked.deleted_at is null and not staging.is_voided(marked.payload) as is_alive
from (
    select
        realm_id,
        'payment' as leg,
        qbo_id,
        sync_token,
        qbo_updated_at,
        deleted_at,
        payload
    from staging.payment
    where payload ->> 'PrivateNote' like '%Peakflo payment %'
    union all
    select
        realm_id,
        'adjustment' as leg,
        qbo_id,
        sync_token,
        qbo_updated_at,
        deleted_at,
        payload
    from staging.journal_entry
    where payload ->> 'PrivateNote' like '%Peakflo payment %'
) as marked
where
    outbox.marked(marked.payload) is not null
    and not exists (
        select
        from outbox.former_record as former
        where
            former.realm_id = marked.realm_id
            and former.leg = marked.leg
            and former.qbo_id = marked.qbo_id
    );

-- Tell whether two versions of a payment's JSON move the same money for the same; what one of them leaves out does not
-- tell them apart, nor does it that a customer was merged into another one.
create function outbox.is_same_payment(of_realm text, one jsonb, other jsonb) returns boolean
language sql stable parallel safe as $$
    select
        one is not null
        and other is not null
        and (
            (one ->> 'TotalAmt')::numeric <> (other ->> 'TotalAmt')::numeric
            or mapping.survivor(of_realm, one #>> '{CustomerRef,value}')
            <> mapping.survivor(of_realm, other #>> '{CustomerRef,value}')
            or one ->> 'TxnDate' <> other ->> 'TxnDate'
            or one #>> '{DepositToAccountRef,value}' <> other #>> '{DepositToAccountRef,value}'
            or (one ->> 'ExchangeRate')::numeric <> (other ->> 'ExchangeRate')::numeric
            or outbox.applied(one -> 'Line') <> outbox.applied(other -> 'Line')
        ) is not true
$$;

-- Likewise of a journal entry's.
create function outbox.is_same_entry(of_realm text, one jsonb, other jsonb) returns boolean
language sql stable parallel safe as $$
    select
        one is not null
        and other is not null
        and (
            outbox.posted(of_realm, one -> 'Line') <> outbox.posted(of_realm, other -> 'Line')
            or one ->> 'TxnDate' <> other ->> 'TxnDate'
            or (one ->> 'ExchangeRate')::numeric <> (other ->> 'ExchangeRate')::numeric
        ) is not true
$$;

-- Tell whether QuickBooks, as it was last read, has of a payment what Peakflo says of it now, whichever was changed.
create function outbox.agrees(delivery outbox.delivery) returns boolean
language sql stable as $$
    select
        exists (
            select
            from staging.payment as staged
            inner join peakflo.payment as payment
                on payment.company_id = delivery.company_id and payment.id = delivery.payment_id
            inner join peakflo.customer as customer
                on payment.company_id = customer.company_id and payment.customer_id = customer.id
            where
                staged.realm_id = delivery.realm_id
                and staged.qbo_id = delivery.qbo_id
                and staged.deleted_at is null
                and (staged.payload ->> 'TotalAmt')::numeric = payment.amount
                and mapping.survivor(staged.realm_id, staged.payload #>> '{CustomerRef,value}')
                = mapping.survivor(staged.realm_id, customer.source_id)
                and staged.payload ->> 'TxnDate' = payment.payment_date::text
                and outbox.applied(staged.payload -> 'Line')
                = outbox.applied_now(delivery.company_id, delivery.payment_id)
                -- What is told by the account and the rate, and by the journal entry, is not worked out again.
                and staged.payload #>> '{DepositToAccountRef,value}'
                is not distinct from delivery.response #>> '{DepositToAccountRef,value}'
                and (staged.payload ->> 'ExchangeRate')::numeric
                is not distinct from (delivery.response ->> 'ExchangeRate')::numeric
                and to_jsonb(payment) - array['amount', 'customer_id', 'payment_date']
                @> delivery.said - array['amount', 'customer_id', 'payment_date', 'allocations', 'note', 'reference']
        )
$$;

-- Tell whether QuickBooks no longer has what a delivery made there, as it was last read.
create function outbox.is_gone(delivery outbox.delivery) returns boolean
language sql stable as $$
    select
        exists (
            select
            from staging.record as staged
            where
                staged.realm_id = delivery.realm_id
                and staged.entity = case delivery.leg when 'payment' then 'payment' else 'journal_entry' end
                and staged.qbo_id = delivery.qbo_id
                and (staged.deleted_at is not null or staging.is_voided(staged.payload))
        )
$$;

-- Tell whether QuickBooks, as it was last read, has a payment again that was undone in some version.
create function outbox.is_revived(delivery outbox.delivery, undone_sync_token integer) returns boolean
language sql stable as $$
    select
        exists (
            select
            from staging.payment as staged
            where
                delivery.leg = 'payment'
                and staged.realm_id = delivery.realm_id
                and staged.qbo_id = delivery.qbo_id
                and staged.sync_token > undone_sync_token
        )
        and not outbox.is_gone(delivery)
$$;

-- Tell whether a staged payment that was undone, in a version that may not be known, has money again.
create function outbox.has_money_again(
    deleted_at timestamptz, payload jsonb, sync_token integer, undone_sync_token integer
) returns boolean
language sql immutable parallel safe as $$
    select deleted_at is null and not staging.is_voided(payload) and sync_token > coalesce(undone_sync_token, -1)
$$;

-- Tell whether QuickBooks, as it was last read, has money again in a record that stood for a payment once.
create function outbox.has_revived_former(said_company text, said_payment uuid) returns boolean
language sql stable as $$
    select
        exists (
            select
            from outbox.former_record as former
            inner join outbox.delivery as delivery on former.delivery_id = delivery.delivery_id
            inner join staging.payment as staged
                on former.realm_id = staged.realm_id and former.qbo_id = staged.qbo_id
            where
                delivery.company_id = said_company
                and delivery.payment_id = said_payment
                and former.leg = 'payment'
                and outbox.has_money_again(
                    staged.deleted_at, staged.payload, staged.sync_token, former.undone_sync_token
                )
        )
$$;

-- Close the problems of a payment that are over.
create function outbox.close_problems(closed_company text, closed_payment uuid, codes text[]) returns void
language sql as $$
    update sync.problem
    set state = 'resolved', resolved_at = now()
    where
        company_id = closed_company
        and direction = 'outbound'
        and peakflo_id = closed_payment
        and code = any(codes)
        and state <> 'resolved'
$$;

-- Report that a payment was changed after it had been sent: what QuickBooks has is no longer the same. One that says
-- again what was sent is no problem any more.
create function outbox.report_edit(edited_company text, edited_payments uuid[]) returns void
language plpgsql as $$
begin
    perform 1
    from outbox.delivery
    where company_id = edited_company and payment_id = any(edited_payments)
    order by delivery_id
    for update;
    perform outbox.close_problems(company_id, payment_id, array['edited_after_sending'])
    from outbox.delivery
    where
        company_id = edited_company
        and payment_id = any(edited_payments)
        and leg = 'payment'
        and operation = 'create'
        and said = outbox.said(company_id, payment_id);
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
        and leg = 'payment'
        and operation = 'create'
        and state in ('sending', 'delivered', 'unknown', 'possible_orphan')
        and (said is null or said <> outbox.said(company_id, payment_id))
    group by company_id, payment_id
    on conflict (company_id, realm_id, direction, entity, qbo_id, code, peakflo_id) where state <> 'resolved' do update
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

-- Begin a delivery anew, under a request id of its own: what it made before in QuickBooks is remembered, and is the
-- payment no more.
create function outbox.renew(renewed_id bigint, new_state text) returns void
language plpgsql as $$
declare
    renewed outbox.delivery;
begin
    select * into renewed from outbox.delivery where delivery_id = renewed_id;
    if renewed.operation = 'create' and renewed.qbo_id is not null then
        insert into outbox.former_record (
            delivery_id, generation, realm_id, leg, qbo_id, request_id, payload, response, delivered_at,
            undone_sync_token
        )
        values (
            renewed.delivery_id, renewed.generation, renewed.realm_id, renewed.leg, renewed.qbo_id, renewed.request_id,
            renewed.payload, renewed.response, renewed.delivered_at,
            (
                select undoing.sync_token
                from outbox.delivery as undoing
                where
                    undoing.company_id = renewed.company_id
                    and undoing.payment_id = renewed.payment_id
                    and undoing.leg = renewed.leg
                    and undoing.operation = 'void'
                    and undoing.state = 'delivered'
            )
        );
        if renewed.leg = 'payment' then
            -- Still known as Peakflo's, so that it is never taken in as a payment of QuickBooks'.
            update mapping.record
            set peakflo_id = mapping.peakflo_id(realm_id, entity, qbo_id)
            where
                realm_id = renewed.realm_id
                and entity = 'payment'
                and qbo_id = renewed.qbo_id
                and peakflo_id = renewed.payment_id;
            update peakflo.payment
            set source_id = null
            where company_id = renewed.company_id and id = renewed.payment_id and source_id is not null;
        end if;
    end if;
    -- To undo something once more does not settle how it differs.
    if renewed.operation = 'create' then
        perform outbox.close_problems(
            renewed.company_id,
            renewed.payment_id,
            case renewed.leg
                when 'payment'
                    then array[
                        'answer_differs', 'edited_after_sending', 'edited_in_quickbooks', 'voided_in_quickbooks',
                        'deleted_in_quickbooks'
                    ]
                else array[
                    'entry_answer_differs', 'entry_edited_in_quickbooks', 'entry_voided_in_quickbooks',
                    'entry_deleted_in_quickbooks'
                ]
            end
        );
    end if;
    update outbox.delivery
    set
        generation = generation + 1,
        request_id = outbox.request_id(leg, operation, payment_id, generation + 1),
        state = new_state,
        code = null,
        reason = null,
        payload = null,
        said = null,
        queued_at = clock_timestamp(),
        first_sent_at = null,
        sent_at = null,
        delivered_at = null,
        qbo_id = null,
        sync_token = null,
        response = null
    where delivery_id = renewed_id;
end
$$;

-- Let a delivery go on that did not reach QuickBooks, under a new request id: the old one might be answered with the
-- old answer. What ever left is looked for first, whatever it was answered: by the content that it had, and only once
-- the last request is over, unless that was refused for sure. Another is made anew, but for a journal entry that goes
-- without its payment.
create function outbox.retry(retried_id bigint) returns void
language sql as $$
    update outbox.delivery
    set
        generation = generation + 1,
        request_id = outbox.request_id(leg, operation, payment_id, generation + 1),
        state = case when first_sent_at is null then 'queued' else 'unknown' end,
        code = case when first_sent_at is not null then 'retried' end,
        reason = case
            when first_sent_at is not null
                then 'It may be in QuickBooks: it is looked for there before it is sent anew.'
        end,
        payload = case when leg = 'adjustment' or first_sent_at is not null then payload end,
        sent_at = case
            when
                state <> 'possible_orphan'
                and (
                    select attempt.outcome
                    from outbox.attempt as attempt
                    where attempt.delivery_id = retried_id and attempt.action = 'send'
                    order by attempt.attempt_id desc
                    limit 1
                ) is distinct from 'rejected'
                then sent_at
        end
    where delivery_id = retried_id
$$;

-- Send once more what QuickBooks no longer has although the payment counts; false if that is not how it is. The journal
-- entry that a payment links goes with it; one beside its payment goes alone, and says what it said before.
create function outbox.retry_gone(retried_id bigint, retried_company text) returns boolean
language plpgsql as $$
declare
    gone outbox.delivery;
begin
    select delivery.* into gone
    from outbox.delivery as delivery
    inner join peakflo.payment as payment
        on delivery.company_id = payment.company_id and delivery.payment_id = payment.id
    where
        delivery.delivery_id = retried_id
        and delivery.company_id = retried_company
        and delivery.operation = 'create'
        and delivery.state in ('delivered', 'ignored')
        and payment.status = 'active'
        and outbox.is_gone(delivery)
        and (
            delivery.leg = 'payment'
            or exists (
                select
                from outbox.delivery as whole
                where
                    whole.company_id = delivery.company_id
                    and whole.payment_id = delivery.payment_id
                    and whole.leg = 'payment'
                    and whole.operation = 'create'
                    and whole.state = 'delivered'
                    and not whole.payload -> 'Line' @> '[{"LinkedTxn": [{"TxnType": "JournalEntry"}]}]'
            )
        )
    for update of delivery;
    if not found then
        return false;
    end if;
    perform outbox.renew(retried_id, 'queued');
    if gone.leg = 'adjustment' then
        update outbox.delivery set payload = gone.payload, said = gone.said where delivery_id = retried_id;
        return true;
    end if;
    perform outbox.renew(entry.delivery_id, 'withdrawn')
    from outbox.delivery as entry
    where
        entry.company_id = gone.company_id
        and entry.payment_id = gone.payment_id
        and entry.leg = 'adjustment'
        and entry.operation = 'create'
        and entry.state in ('delivered', 'ignored')
        and outbox.is_gone(entry);
    return true;
end
$$;

-- Withdraw deliveries, with the problems for which they were set aside.
create function outbox.withdraw(withdrawn_ids bigint[], new_code text, new_reason text) returns void
language plpgsql as $$
begin
    perform outbox.close_problems(company_id, payment_id, array[code])
    from outbox.delivery
    where delivery_id = any(withdrawn_ids) and state = 'rejected' and code is not null;
    update outbox.delivery
    set state = 'withdrawn', code = new_code, reason = new_reason
    where delivery_id = any(withdrawn_ids);
end
$$;

-- A payment that counts: nothing undoes it any more, and what was undone is made again. What is being undone right now
-- is made again when that is done.
create function outbox.follow_active(followed_company text, followed_realm text, followed_payment uuid) returns void
language plpgsql as $$
declare
    is_being_undone constant boolean = exists (
        select
        from outbox.delivery
        where
            company_id = followed_company
            and payment_id = followed_payment
            and operation = 'void'
            and state in ('sending', 'unknown')
    );
begin
    if not is_being_undone then
        -- The journal entry waits for its payment, which sends it first.
        perform outbox.renew(created.delivery_id, case created.leg when 'payment' then 'queued' else 'withdrawn' end)
        from outbox.delivery as created
        inner join outbox.delivery as undoing
            on
                created.company_id = undoing.company_id
                and created.payment_id = undoing.payment_id
                and created.leg = undoing.leg
                and undoing.operation = 'void'
        where
            created.company_id = followed_company
            and created.payment_id = followed_payment
            and created.operation = 'create'
            and created.state = 'delivered'
            and (
                (undoing.state = 'delivered' and not outbox.is_revived(created, undoing.sync_token))
                or (
                    (undoing.state = 'ignored' or (undoing.state = 'withdrawn' and undoing.code = 'gone'))
                    and outbox.is_gone(created)
                )
            );
        perform outbox.retry(delivery_id)
        from outbox.delivery
        where
            company_id = followed_company
            and payment_id = followed_payment
            and operation = 'create'
            and state = 'withdrawn'
            and first_sent_at is not null;
        insert into outbox.delivery as kept (company_id, realm_id, payment_id, leg, operation, request_id)
        values (
            followed_company, followed_realm, followed_payment, 'payment', 'create',
            outbox.request_id('payment', 'create', followed_payment, 0)
        )
        on conflict (company_id, payment_id, leg, operation) do update
            set state = 'queued', code = null, reason = null
            where kept.state = 'withdrawn';
    end if;
    perform outbox.withdraw(
        array(
            select delivery_id
            from outbox.delivery
            where
                company_id = followed_company
                and payment_id = followed_payment
                and operation = 'void'
                and (state in ('queued', 'held', 'rejected') or not is_being_undone)
        ),
        'taken_back',
        'The payment was taken up again in Peakflo.'
    );
end
$$;

-- A payment that was cancelled: what was not sent is withdrawn, what was, or may have been, is undone.
create function outbox.follow_cancelled(followed_company text, followed_payment uuid) returns void
language plpgsql as $$
begin
    perform outbox.withdraw(
        array(
            select delivery_id
            from outbox.delivery
            where
                company_id = followed_company
                and payment_id = followed_payment
                and operation = 'create'
                and state in ('queued', 'held', 'rejected')
        ),
        null,
        null
    );
    perform outbox.renew(undoing.delivery_id, 'queued')
    from outbox.delivery as undoing
    inner join outbox.delivery as created
        on
            undoing.company_id = created.company_id
            and undoing.payment_id = created.payment_id
            and undoing.leg = created.leg
            and created.operation = 'create'
    where
        undoing.company_id = followed_company
        and undoing.payment_id = followed_payment
        and undoing.operation = 'void'
        and undoing.state = 'withdrawn'
        and undoing.code is distinct from 'gone'
        and created.state in ('sending', 'delivered', 'unknown', 'possible_orphan');
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
        company_id = followed_company
        and payment_id = followed_payment
        and operation = 'create'
        and state in ('sending', 'delivered', 'unknown', 'possible_orphan')
    -- The payment first: what it links goes after it.
    order by leg desc
    on conflict (company_id, payment_id, leg, operation) do nothing;
end
$$;

-- Queue a payment, in the transaction that settles it, and what undoes it once it is cancelled. A payment and its
-- allocations belong into one transaction: from its commit on, the payment may be sent.
create function outbox.queue_payment() returns trigger
language plpgsql as $$
begin
    -- Whoever changes a payment waits for the moment in which it is being read to be sent.
    perform 1
    from outbox.delivery
    where company_id = new.company_id and payment_id = new.id
    order by delivery_id
    for update;
    if new.status <> 'active' then
        perform outbox.follow_cancelled(new.company_id, new.id);
    elsif new.settled_at is not null then
        perform outbox.follow_active(new.company_id, new.realm_id, new.id);
    end if;
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

-- What QuickBooks did meanwhile meets what became of the payment meanwhile.
create function outbox.follow_delivery() returns trigger
language plpgsql as $$
declare
    payment peakflo.payment;
begin
    select * into payment from peakflo.payment where company_id = new.company_id and id = new.payment_id;
    if new.operation = 'create' then
        if payment.status <> 'active' then
            perform outbox.follow_cancelled(new.company_id, new.payment_id);
        end if;
    elsif new.code = 'gone' then
        -- The journal entry is undone after its payment, unless that is sent anew.
        update sync.problem
        set state = 'resolved', resolved_at = now()
        where
            company_id = new.company_id
            and direction = 'outbound'
            and peakflo_id = new.payment_id
            and state <> 'resolved'
            and code <> 'twice_in_quickbooks'
            and (new.leg = 'adjustment') = (code like 'entry\_%')
            and (
                code <> 'revived_in_quickbooks'
                or not outbox.has_revived_former(new.company_id, new.payment_id)
            );
    elsif payment.status = 'active' and payment.settled_at is not null then
        perform outbox.follow_active(new.company_id, payment.realm_id, new.payment_id);
    end if;
    return null;
end
$$;

-- One that was let go of or withdrawn and is there after all is undone if its payment was cancelled meanwhile.
create trigger follow_created
after update of state on outbox.delivery
for each row
when (
    old.state is distinct from new.state
    and new.operation = 'create'
    and (
        new.state in ('queued', 'held', 'rejected')
        or (old.state in ('ignored', 'withdrawn') and new.state in ('unknown', 'delivered'))
    )
)
execute function outbox.follow_delivery();

-- An undoing that was in the air when its payment was taken up again is not tried once more.
create trigger follow_undone
after update of state on outbox.delivery
for each row
when (
    old.state is distinct from new.state
    and new.operation = 'void'
    and (
        new.state in ('delivered', 'rejected')
        or (new.state in ('queued', 'held') and old.state in ('sending', 'unknown'))
        or (new.state = 'withdrawn' and new.code = 'gone')
    )
)
execute function outbox.follow_delivery();

-- From a payment to all that came of it: each attempt and its run, each version that QuickBooks had of it, and the run
-- that brought that version.
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
    attempt.ended_at,
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
        version.realm_id = delivery.realm_id
        and version.qbo_id = delivery.qbo_id
        and version.entity = case delivery.leg when 'payment' then 'payment' else 'journal_entry' end
) as echo on true;

-- What Peakflo took and QuickBooks' balances know nothing of, for the verdicts before reminders: payments that are not
-- in QuickBooks, or may not be, and those that were voided or deleted there while Peakflo has the money. One whose
-- delivery a person let go of was settled otherwise; one that was let go of after it had been undone in QuickBooks is
-- as QuickBooks says.
create view outbox.outside_payment as
select
    payment.company_id,
    payment.realm_id,
    payment.id as payment_id,
    payment.customer_id,
    payment.currency,
    payment.payment_date,
    payment.amount,
    payment.created_at,
    exists(
        select
        from outbox.delivery as delivery
        where
            delivery.company_id = payment.company_id
            and delivery.payment_id = payment.id
            and delivery.leg = 'payment'
            and delivery.operation = 'create'
            and delivery.state = 'ignored'
    ) as is_let_go
from peakflo.payment as payment
where
    payment.origin = 'peakflo'
    and payment.source_id is null
    and payment.status = 'active'
    and payment.deleted_at is null
union all
select
    payment.company_id,
    payment.realm_id,
    payment.id as payment_id,
    payment.customer_id,
    payment.currency,
    payment.payment_date,
    payment.amount,
    payment.created_at,
    false as is_let_go
from (
    select distinct
        problem.company_id,
        problem.peakflo_id
    from sync.problem as problem
    where
        problem.direction = 'outbound'
        and problem.code in ('voided_in_quickbooks', 'deleted_in_quickbooks')
        and problem.state <> 'resolved'
) as undone
inner join peakflo.payment as payment
    on undone.company_id = payment.company_id and undone.peakflo_id = payment.id
where
    payment.source_id is not null
    and payment.status = 'active'
    and payment.deleted_at is null
    and not exists (
        select
        from outbox.delivery as delivery
        where
            delivery.company_id = payment.company_id
            and delivery.payment_id = payment.id
            and delivery.leg = 'payment'
            and delivery.operation = 'create'
            and delivery.state = 'ignored'
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
