-- How deliveries follow what becomes of their payments: taken back, taken up again, or undone in QuickBooks.

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

create or replace function outbox.queue_payment() returns trigger
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
        perform outbox.close_problems(
            new.company_id,
            new.payment_id,
            case new.leg
                when 'adjustment'
                    then array[
                        'entry_answer_differs', 'entry_edited_in_quickbooks', 'entry_voided_in_quickbooks',
                        'entry_deleted_in_quickbooks'
                    ]
            end
        );
    elsif payment.status = 'active' and payment.settled_at is not null then
        perform outbox.follow_active(new.company_id, payment.realm_id, new.payment_id);
    end if;
    return null;
end
$$;

create trigger follow_created
after update of state on outbox.delivery
for each row
when (
    old.state is distinct from new.state
    and new.operation = 'create'
    and new.state in ('queued', 'held', 'rejected')
)
execute function outbox.follow_delivery();

create trigger follow_undone
after update of state on outbox.delivery
for each row
when (
    old.state is distinct from new.state
    and new.operation = 'void'
    and (new.state = 'delivered' or (new.state = 'withdrawn' and new.code = 'gone'))
)
execute function outbox.follow_delivery();
