-- What both sides hold of a payment of Peakflo's after it was sent, compared, and how an edit of it is reported.

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

alter table outbox.delivery
-- What Peakflo said of the payment when it was sent, to tell an edit from one that was taken back.
add column said jsonb;

create index on outbox.delivery (payment_id);

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

-- Close the problems of a payment that are over; without codes, all of them.
create function outbox.close_problems(closed_company text, closed_payment uuid, codes text[]) returns void
language sql as $$
    update sync.problem
    set state = 'resolved', resolved_at = now()
    where
        company_id = closed_company
        and direction = 'outbound'
        and peakflo_id = closed_payment
        and (codes is null or code = any(codes))
        and state <> 'resolved'
$$;

-- Report that a payment was changed after it had been sent: what QuickBooks has is no longer the same. One that says
-- again what was sent is no problem any more.
create or replace function outbox.report_edit(edited_company text, edited_payments uuid[]) returns void
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

-- Refuse at once a payment of Peakflo's without a currency: it would be booked in whatever its customer has.
create function peakflo.refuse_missing_currency() returns trigger
language plpgsql as $$
begin
    raise check_violation using
        message = format(
            'Payment %s names no currency: give it the currency of its customer%s.',
            new.id,
            (
                select ', ' || customer.currency
                from peakflo.customer as customer
                where customer.company_id = new.company_id and customer.id = new.customer_id
            )
        );
end
$$;

create trigger refuse_missing_currency
before insert or update of currency on peakflo.payment
for each row
when (new.origin = 'peakflo' and new.currency is null)
execute function peakflo.refuse_missing_currency();

-- Likewise one of a customer of somebody else's, in words that a bookkeeper understands.
create function peakflo.refuse_unknown_customer() returns trigger
language plpgsql as $$
begin
    if not exists (
        select
        from peakflo.customer as customer
        where customer.company_id = new.company_id and customer.id = new.customer_id
    ) then
        raise foreign_key_violation using
            message = format(
                'Company %s has no customer %s, of whom payment %s is said to be: take it for one of the same company.',
                new.company_id, new.customer_id, new.id
            );
    end if;
    return new;
end
$$;

create trigger refuse_unknown_customer
before insert or update of customer_id on peakflo.payment
for each row
when (new.origin = 'peakflo')
execute function peakflo.refuse_unknown_customer();
