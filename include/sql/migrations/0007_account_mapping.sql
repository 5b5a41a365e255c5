-- What Peakflo's own payments say beyond those from QuickBooks, and what is refused of them at once.
alter table peakflo.payment add column wallet text;

alter table peakflo.payment_allocation
add column withholding_tax_type text,
-- Written off to close the invoice; negative when the customer paid more than was due.
add column rounding_amount numeric(20, 4) not null default 0;

-- Refuse a payment of Peakflo's that cannot be right whatever QuickBooks holds. What QuickBooks decides, such as
-- whether an invoice is still open, is checked before the delivery instead.
create function peakflo.check_payment(checked_company_id text, checked_id uuid) returns void
language plpgsql as $$
declare
    payment peakflo.payment;
    wrong record;
    applied numeric;
    credited numeric;
begin
    -- Locked, so that of two transactions that change it at once the later one sees what the earlier one did.
    select * into payment
    from peakflo.payment as kept
    where kept.company_id = checked_company_id and kept.id = checked_id and kept.origin = 'peakflo'
    for no key update;
    if not found or payment.status <> 'active' then
        return;
    end if;

    if payment.amount < 0 or payment.processing_fee < 0 or payment.processing_fee > payment.amount then
        raise check_violation using
            message = format(
                'Payment %s has the amount %s and the processing fee %s: neither may be negative, nor the fee larger.',
                payment.id, payment.amount, payment.processing_fee
            );
    end if;

    if payment.currency is not null and not (
        exists (
            select from peakflo.customer as customer
            where
                customer.company_id = payment.company_id
                and customer.id = payment.customer_id
                and customer.currency = payment.currency
        )
        or exists (
            select from peakflo.company as company
            where company.company_id = payment.company_id and company.home_currency = payment.currency
        )
        or exists (
            select from peakflo.account as account
            where account.company_id = payment.company_id and account.currency = payment.currency
        )
    ) then
        raise check_violation using
            message = format(
                'Payment %s is in %s, which is no currency of the company: give it the currency of its invoices.',
                payment.id, payment.currency
            );
    end if;

    select allocation.* into wrong
    from peakflo.payment_allocation as allocation
    where
        allocation.company_id = payment.company_id
        and allocation.payment_id = payment.id
        and (
            allocation.amount < 0
            or allocation.withholding_tax_amount < 0
            or allocation.amount + allocation.withholding_tax_amount + allocation.rounding_amount <= 0
            or allocation.target_type not in ('invoice', 'credit_note')
            or (
                allocation.target_type = 'credit_note'
                and (allocation.withholding_tax_amount <> 0 or allocation.rounding_amount <> 0)
            )
        )
    limit 1;
    if found then
        raise check_violation using
            message = format(
                'Allocation %s of payment %s is not possible: it takes an invoice with an amount above zero and no '
                'negative tax, or a credit note with an amount only.',
                wrong.position, payment.id
            );
    end if;

    select allocation.* into wrong
    from peakflo.payment_allocation as allocation
    where
        allocation.company_id = payment.company_id
        and allocation.payment_id = payment.id
        and not exists (
            select from peakflo.invoice as invoice
            where
                allocation.target_type = 'invoice'
                and invoice.company_id = allocation.company_id
                and invoice.id = allocation.target_id
        )
        and not exists (
            select from peakflo.credit_note as credit_note
            where
                allocation.target_type = 'credit_note'
                and credit_note.company_id = allocation.company_id
                and credit_note.id = allocation.target_id
        )
    limit 1;
    if found then
        raise check_violation using
            message = format(
                'Company %s has no %s %s, to which payment %s is applied: apply it to one of the same company.',
                payment.company_id, replace(wrong.target_type, '_', ' '), coalesce(wrong.target_id::text, 'without id'),
                payment.id
            );
    end if;

    select
        coalesce(sum(allocation.amount) filter (where allocation.target_type = 'invoice'), 0),
        coalesce(sum(allocation.amount) filter (where allocation.target_type = 'credit_note'), 0)
    into applied, credited
    from peakflo.payment_allocation as allocation
    where allocation.company_id = payment.company_id and allocation.payment_id = payment.id;
    if applied > payment.amount + credited or (payment.amount = 0 and credited = 0 and applied = 0) then
        raise check_violation using
            message = format(
                'Payment %s is over %s and uses %s of credit notes, but %s is applied to invoices: apply no more than '
                'there is, and pay or credit something.',
                payment.id, payment.amount, credited, applied
            );
    end if;
    if credited > applied then
        raise check_violation using
            message = format(
                'Payment %s uses %s of credit notes, more than the %s that is applied to invoices: use less of them.',
                payment.id, credited, applied
            );
    end if;
end
$$;

create function peakflo.check_changed_payment() returns trigger
language plpgsql as $$
begin
    perform peakflo.check_payment(new.company_id, new.id);
    return null;
end
$$;

create function peakflo.check_changed_allocation() returns trigger
language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        perform peakflo.check_payment(old.company_id, old.payment_id);
    else
        perform peakflo.check_payment(new.company_id, new.payment_id);
    end if;
    return null;
end
$$;

-- At the end of the transaction, when a payment and all that it is applied to is there.
create constraint trigger check_payment
after insert or update of amount, processing_fee, currency, status, origin on peakflo.payment
deferrable initially deferred
for each row when (new.origin = 'peakflo') execute function peakflo.check_changed_payment();

create constraint trigger check_allocation
after insert or update or delete on peakflo.payment_allocation
deferrable initially deferred
for each row execute function peakflo.check_changed_allocation();
