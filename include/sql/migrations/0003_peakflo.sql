-- What Peakflo reads. Field names follow Peakflo's API; every key starts with the company.
create schema peakflo;

create table peakflo.company (
    company_id text primary key,
    realm_id text not null,
    name text not null,
    -- The name the company has in QuickBooks.
    source_name text,
    home_currency text,
    country text,
    time_zone text not null default 'America/Los_Angeles',
    book_close_date date
);

create table peakflo.account (
    company_id text not null,
    id uuid not null,
    realm_id text not null,
    source_id text,
    source_updated_at timestamptz,
    deleted_at timestamptz,
    code text,
    name text not null,
    full_name text not null,
    type text,
    sub_type text,
    classification text,
    currency text,
    parent_id uuid,
    balance numeric(20, 4),
    status text not null check (status in ('active', 'archived', 'deleted')),
    primary key (company_id, id),
    unique (company_id, realm_id, source_id)
);

create table peakflo.customer (
    company_id text not null,
    id uuid not null,
    realm_id text not null,
    source_id text,
    source_updated_at timestamptz,
    deleted_at timestamptz,
    company_name text not null,
    -- The first, where QuickBooks has several.
    email text,
    phone text,
    currency text,
    parent_id uuid,
    bill_with_parent boolean not null,
    balance numeric(20, 4),
    balance_with_children numeric(20, 4),
    payment_term text,
    status text not null check (status in ('active', 'archived', 'deleted')),
    billing_address jsonb,
    primary key (company_id, id),
    unique (company_id, realm_id, source_id)
);

create index on peakflo.customer (company_id, parent_id) where parent_id is not null;

create table peakflo.invoice (
    company_id text not null,
    id uuid not null,
    realm_id text not null,
    source_id text,
    source_updated_at timestamptz,
    deleted_at timestamptz,
    customer_id uuid not null,
    invoice_number text,
    issue_date date,
    due_date date,
    -- Where QuickBooks has no due date, it follows from the payment terms or, without any, is the day of issue.
    due_date_basis text check (due_date_basis in ('quickbooks', 'terms', 'issue_date')),
    currency text,
    exchange_rate numeric(28, 10),
    -- The lines' total_amount add up to sub_total; that less total_discount, with total_tax_amount, is total_amount. A
    -- deposit is in amount_due alone. Where QuickBooks' own amounts do not add up, they are kept as they are.
    sub_total numeric(20, 4) not null,
    total_discount numeric(20, 4) not null,
    total_tax_amount numeric(20, 4) not null,
    total_amount numeric(20, 4) not null,
    amount_due numeric(20, 4) not null,
    status text not null check (status in ('draft', 'sent', 'paid', 'cancelled')),
    note text,
    -- To whom QuickBooks sends it; those who get a copy are not asked to pay.
    emailed_to text[],
    primary key (company_id, id),
    unique (company_id, realm_id, source_id),
    foreign key (company_id, customer_id) references peakflo.customer (company_id, id)
);

create index on peakflo.invoice (company_id, customer_id);

create table peakflo.invoice_line (
    company_id text not null,
    invoice_id uuid not null,
    position integer not null,
    description text,
    quantity numeric(28, 10),
    unit_amount numeric(28, 10),
    discount_amount numeric(20, 4) not null,
    tax_amount numeric(20, 4),
    total_amount numeric(20, 4),
    item_ref text,
    primary key (company_id, invoice_id, position),
    foreign key (company_id, invoice_id) references peakflo.invoice (company_id, id) on delete cascade
);

create table peakflo.payment (
    company_id text not null,
    id uuid not null default gen_random_uuid(),
    realm_id text not null,
    source_id text,
    source_updated_at timestamptz,
    deleted_at timestamptz,
    customer_id uuid not null,
    payment_date date not null,
    amount numeric(20, 4) not null,
    unapplied_amount numeric(20, 4) not null default 0,
    currency text,
    exchange_rate numeric(28, 10),
    method text,
    reference text,
    note text,
    wallet text,
    deposit_account_id uuid,
    processing_fee numeric(20, 4) not null default 0,
    status text not null default 'active' check (status in ('active', 'voided', 'deleted')),
    origin text not null default 'peakflo' check (origin in ('quickbooks', 'peakflo')),
    settled_at timestamptz,
    created_at timestamptz not null default now(),
    primary key (company_id, id),
    unique (company_id, realm_id, source_id),
    foreign key (company_id, customer_id) references peakflo.customer (company_id, id)
);

create index on peakflo.payment (company_id, customer_id);

-- The few payments that are still to come.
create index on peakflo.payment (company_id, payment_date);

-- Those of Peakflo's that QuickBooks' balances know nothing of.
create index on peakflo.payment (company_id)
where origin = 'peakflo' and source_id is null and status = 'active' and deleted_at is null;

-- What an active payment settles; a payment that is voided or deleted settles nothing and has no rows here.
create table peakflo.payment_allocation (
    company_id text not null,
    payment_id uuid not null,
    position integer not null,
    target_type text not null,
    target_id uuid,
    target_source_id text,
    amount numeric(20, 4) not null,
    withholding_tax_amount numeric(20, 4) not null default 0,
    withholding_tax_type text,
    -- Written off to close the invoice; negative when the customer paid more than was due.
    rounding_amount numeric(20, 4) not null default 0,
    primary key (company_id, payment_id, position),
    foreign key (company_id, payment_id) references peakflo.payment (company_id, id) on delete cascade
);

create index on peakflo.payment_allocation (company_id, target_id);

-- Refuse at once what no payment of Peakflo's can be, whatever it is applied to, in words that a bookkeeper
-- understands. One that names no realm is for the books that its company has now.
create function peakflo.take_payment() returns trigger
language plpgsql as $$
declare
    current_realm_id text;
    customer peakflo.customer;
    refusal text;
begin
    select company.realm_id into current_realm_id
    from peakflo.company as company
    where company.company_id = new.company_id;
    select * into customer
    from peakflo.customer as kept
    where kept.company_id = new.company_id and kept.id = new.customer_id;
    new.realm_id := coalesce(new.realm_id, current_realm_id);

    refusal := format(
        case
            when current_realm_id is null
                then
                    'Payment %1$s is of company %2$s, which was never connected to QuickBooks: connect it, or correct '
                    'the company_id.'
            when customer.id is null
                then
                    'Company %2$s has no customer %3$s, of whom payment %1$s is said to be: take it for one of the '
                    'same company.'
            -- It would wait for its customer for ever. A company has no customers but those of books that it had.
            when new.realm_id <> customer.realm_id
                then
                    'Payment %1$s is for QuickBooks company %4$s, but its customer is of %5$s: give it the realm_id '
                    '%5$s.'
            -- It would be booked in whatever its customer has.
            when new.currency is null
                then 'Payment %1$s names no currency: give it the currency of its customer%6$s.'
            when 'NaN' in (new.amount, new.unapplied_amount, new.processing_fee, new.exchange_rate)
                then 'Payment %1$s has NaN for an amount or for the exchange rate: give it numbers.'
            when new.exchange_rate <= 0
                then
                    'Payment %1$s has the exchange rate %7$s: give it one above zero, or none for QuickBooks'' rate of '
                    'the day.'
            when
                new.payment_date not between '1990-01-01' and '2100-12-31'
                or new.settled_at not between '1990-01-01Z' and '2101-01-01Z'
                then 'Payment %1$s is of %8$s%9$s: give it days from 1990 to 2100.'
        end,
        new.id, new.company_id, coalesce(new.customer_id::text, 'without id'), new.realm_id, customer.realm_id,
        ', ' || customer.currency, new.exchange_rate, new.payment_date, ' and settled ' || new.settled_at
    );
    if refusal is not null then
        raise check_violation using message = refusal;
    end if;
    return new;
end
$$;

-- Those of QuickBooks' are taken as they are.
create trigger take_payment
before insert or update of realm_id, customer_id, payment_date, amount, unapplied_amount, currency, exchange_rate,
processing_fee, origin, settled_at on peakflo.payment
for each row
when (new.origin = 'peakflo')
execute function peakflo.take_payment();

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

    if not (
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
            'NaN' in (allocation.amount, allocation.withholding_tax_amount, allocation.rounding_amount)
            or allocation.amount < 0
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
                'Allocation %s of payment %s is not possible: its amounts must be finite, and it takes an invoice with '
                'an amount above zero and no negative tax, or a credit note with an amount only.',
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
language plpgsql security definer set search_path = pg_catalog as $$
begin
    perform peakflo.check_payment(new.company_id, new.id);
    return null;
end
$$;

-- At the end of the transaction, when a payment and all that it is applied to is there.
create constraint trigger check_payment
after insert or update of amount, processing_fee, currency, status, origin on peakflo.payment
deferrable initially deferred
for each row when (new.origin = 'peakflo') execute function peakflo.check_changed_payment();

create function peakflo.check_changed_allocation() returns trigger
language plpgsql security definer set search_path = pg_catalog as $$
begin
    if tg_op = 'DELETE' then
        perform peakflo.check_payment(old.company_id, old.payment_id);
    else
        perform peakflo.check_payment(new.company_id, new.payment_id);
    end if;
    return null;
end
$$;

create constraint trigger check_allocation
after insert or update or delete on peakflo.payment_allocation
deferrable initially deferred
for each row execute function peakflo.check_changed_allocation();

create table peakflo.credit_note (
    company_id text not null,
    id uuid not null,
    realm_id text not null,
    source_id text,
    source_updated_at timestamptz,
    deleted_at timestamptz,
    customer_id uuid not null,
    credit_note_number text,
    issue_date date,
    currency text,
    exchange_rate numeric(28, 10),
    total_amount numeric(20, 4) not null,
    remaining_credit numeric(20, 4) not null,
    status text not null check (status in ('open', 'applied', 'voided', 'deleted')),
    note text,
    primary key (company_id, id),
    unique (company_id, realm_id, source_id),
    foreign key (company_id, customer_id) references peakflo.customer (company_id, id)
);

create index on peakflo.credit_note (company_id, customer_id);

-- The little money that is not applied yet.
create index on peakflo.credit_note (company_id, customer_id) where status = 'open' and deleted_at is null;

create table peakflo.tax_rate (
    company_id text not null,
    id uuid not null,
    realm_id text not null,
    source_id text,
    source_updated_at timestamptz,
    deleted_at timestamptz,
    name text not null,
    description text,
    active boolean not null,
    rate numeric(28, 10),
    primary key (company_id, id),
    unique (company_id, realm_id, source_id)
);

create table peakflo.tax_code (
    company_id text not null,
    id uuid not null,
    realm_id text not null,
    source_id text,
    source_updated_at timestamptz,
    deleted_at timestamptz,
    name text not null,
    description text,
    active boolean not null,
    -- [{"tax_rate_id", "order", "applies_to": "sales" | "purchases"}]
    rates jsonb not null,
    primary key (company_id, id),
    unique (company_id, realm_id, source_id)
);

-- Invoices with the status a person would give them today, where the company keeps its books.
create view peakflo.invoice_today as
select
    invoice.company_id,
    invoice.id,
    invoice.realm_id,
    invoice.source_id,
    invoice.customer_id,
    invoice.invoice_number,
    invoice.issue_date,
    invoice.due_date,
    invoice.currency,
    invoice.total_amount,
    invoice.amount_due,
    case
        when invoice.status = 'sent' and invoice.due_date < (now() at time zone company.time_zone)::date
            then 'overdue'
        else invoice.status
    end as status
from peakflo.invoice
inner join peakflo.company on invoice.company_id = company.company_id
where invoice.deleted_at is null and invoice.realm_id = company.realm_id;

-- The verdict on an invoice for one reminder run: send, hold, or unknown.
create table peakflo.reminder_verdict (
    company_id text not null,
    reminder_run_id text not null,
    -- The sync.run that read and judged: a reminder run that is cleared judges again beside what it said first.
    run_id bigint not null,
    invoice_id uuid not null,
    customer_id uuid,
    verdict text not null check (verdict in ('send', 'hold', 'unknown')),
    reasons jsonb not null,
    amount_due numeric(20, 4),
    currency text,
    -- When it was due, and whether QuickBooks says so, its payment terms do, or nothing but the date of the invoice.
    due_date date,
    due_date_basis text,
    customer_total_due numeric(20, 4),
    customer_total_overdue numeric(20, 4),
    qbo_sync_token integer,
    read_at timestamptz,
    judged_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    -- All that the verdict rests on, from which it can be judged again, and by which rules it was judged.
    evidence jsonb not null default '{}',
    rules_version integer not null,
    primary key (company_id, reminder_run_id, invoice_id, run_id)
);

create index on peakflo.reminder_verdict (company_id, invoice_id, judged_at desc);

-- The last word on each invoice.
create view peakflo.latest_verdict as
select distinct on (verdict.company_id, verdict.invoice_id)
    verdict.company_id,
    verdict.invoice_id,
    invoice.invoice_number,
    invoice.realm_id,
    invoice.source_id,
    verdict.verdict,
    verdict.reasons,
    verdict.amount_due,
    verdict.currency,
    verdict.due_date,
    verdict.due_date_basis,
    verdict.customer_id,
    verdict.customer_total_due,
    verdict.customer_total_overdue,
    verdict.qbo_sync_token,
    verdict.read_at,
    verdict.expires_at,
    verdict.judged_at,
    verdict.reminder_run_id,
    verdict.run_id,
    verdict.evidence,
    verdict.rules_version
from peakflo.reminder_verdict as verdict
left join peakflo.invoice as invoice
    on verdict.company_id = invoice.company_id and verdict.invoice_id = invoice.id
order by verdict.company_id asc, verdict.invoice_id asc, verdict.judged_at desc, verdict.run_id desc;

-- Whose the records are that a merge of customers would move, sub-customers among them.
create view peakflo.customer_record as
select
    company_id,
    customer_id,
    'invoice' as entity,
    source_id as qbo_id
from peakflo.invoice
union all
select
    company_id,
    customer_id,
    'credit_memo' as entity,
    source_id as qbo_id
from peakflo.credit_note
union all
select
    company_id,
    customer_id,
    'payment' as entity,
    source_id as qbo_id
from peakflo.payment
union all
select
    company_id,
    parent_id as customer_id,
    'customer' as entity,
    source_id as qbo_id
from peakflo.customer
where parent_id is not null;

-- What Peakflo has under customers that went, as QuickBooks was last read: it may be those' whom they were merged into.
create function peakflo.left_behind(of_company text, of_realm text)
returns table (customer_qbo_id text, entity text, qbo_id text)
language sql stable parallel safe as $$
    select
        gone.qbo_id,
        had.entity,
        had.qbo_id
    from staging.gone_customer as gone
    inner join mapping.customer as mapped on gone.realm_id = mapped.realm_id and gone.qbo_id = mapped.qbo_id
    inner join peakflo.customer_record as had on had.company_id = of_company and mapped.peakflo_id = had.customer_id
    inner join staging.record as staged
        on gone.realm_id = staged.realm_id and had.entity = staged.entity and had.qbo_id = staged.qbo_id
    where
        gone.realm_id = of_realm
        and had.entity <> 'customer'
        and staged.deleted_at is null
        and staging.owner_of(staged.payload) = gone.qbo_id
$$;
