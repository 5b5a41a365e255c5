-- What a person let go of, or cancelled more than once, is not lost sight of.

-- Begin a delivery anew, under a request id of its own: what it made before in QuickBooks is remembered, and is the
-- payment no more.
create or replace function outbox.renew(renewed_id bigint, new_state text) returns void
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

-- What QuickBooks did meanwhile meets what became of the payment meanwhile.
create or replace function outbox.follow_delivery() returns trigger
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
drop trigger follow_created on outbox.delivery;

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
drop trigger follow_undone on outbox.delivery;

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

-- Undoings that were taken back, and whose records are to be compared anew.
create index on outbox.delivery (company_id) where code = 'taken_back';
