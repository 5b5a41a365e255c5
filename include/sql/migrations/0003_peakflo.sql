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
    primary key (company_id, payment_id, position),
    foreign key (company_id, payment_id) references peakflo.payment (company_id, id) on delete cascade
);

create index on peakflo.payment_allocation (company_id, target_id);

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

-- The verdict on an invoice for one reminder run: send, hold, or unknown.
create table peakflo.reminder_verdict (
    company_id text not null,
    reminder_run_id text not null,
    invoice_id uuid not null,
    verdict text not null check (verdict in ('send', 'hold', 'unknown')),
    reasons jsonb not null,
    amount_due numeric(20, 4),
    currency text,
    customer_total_due numeric(20, 4),
    customer_total_overdue numeric(20, 4),
    qbo_sync_token integer,
    read_at timestamptz,
    expires_at timestamptz not null,
    primary key (company_id, reminder_run_id, invoice_id)
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
