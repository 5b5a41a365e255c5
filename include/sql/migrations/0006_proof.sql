-- The proofs: whether Peakflo has, to the cent, what QuickBooks has, and what explains where it has not.
create schema proof;

-- What a record says of money, the same for each entity; nothing but the status once it is deleted.
create type proof.facts as (
    status text,
    name text,
    -- QuickBooks' Id of its customer, or of its parent.
    owner_id text,
    currency text,
    rate numeric,
    total numeric,
    open numeric,
    issue_date text,
    due_date text,
    -- What a payment settles, in one text.
    links text
);

-- What the lines of a payment settle, in one text, whatever order they are in.
create function proof.links_of(lines jsonb) returns text
language sql stable parallel safe as $$
    select string_agg(link.said, ', ' order by link.said)
    from (
        select
            concat_ws(
                ' ',
                staging.text(linked.item -> 'TxnType'),
                linked.item ->> 'TxnId',
                trim_scale(staging.amount(line.item ->> 'Amount'))
            ) as said
        from staging.items(lines) as line (item)
        cross join lateral staging.items(line.item -> 'LinkedTxn') as linked (item)
    ) as link
$$;

-- Read the facts from a record's JSON as leniently as can be: what is odd is told of where it is merged.
create function proof.facts_of(entity text, record jsonb, is_deleted boolean) returns proof.facts
language sql stable parallel safe
return
case
    when is_deleted then row('deleted', null, null, null, null, null, null, null, null, null)::proof.facts
    when entity in ('account', 'customer')
        then
            row(
                case when record ->> 'Active' = 'false' then 'archived' else 'active' end,
                coalesce(record ->> 'DisplayName', record ->> 'Name'),
                record #>> '{ParentRef,value}',
                record #>> '{CurrencyRef,value}',
                null,
                null,
                staging.amount(coalesce(record ->> 'CurrentBalance', record ->> 'Balance')),
                null,
                null,
                null
            )::proof.facts
    else
        row(
            case when staging.is_voided(record) then 'voided' else 'active' end,
            coalesce(record ->> 'PaymentRefNum', record ->> 'DocNumber'),
            record #>> '{CustomerRef,value}',
            record #>> '{CurrencyRef,value}',
            staging.amount(record ->> 'ExchangeRate'),
            staging.amount(record ->> 'TotalAmt'),
            case entity
                when 'invoice' then staging.amount(record ->> 'Balance')
                when 'payment' then staging.amount(record ->> 'UnappliedAmt')
                else abs(staging.amount(coalesce(nullif(record ->> 'RemainingCredit', ''), record ->> 'Balance')))
            end,
            record ->> 'TxnDate',
            case entity when 'invoice' then nullif(record ->> 'DueDate', '') end,
            case when entity = 'payment' and not staging.is_voided(record) then proof.links_of(record -> 'Line') end
        )::proof.facts
end;

create table proof.proof (
    proof_id bigint generated always as identity primary key,
    company_id text not null,
    realm_id text not null,
    -- The run of the sync log that made it.
    run_id bigint not null,
    made_at timestamptz not null default now(),
    -- Equal; or each difference has a cause that is known; or one has none; or nothing was proved.
    verdict text not null check (verdict in ('equal', 'explained', 'differs', 'not_proved')),
    -- Why nothing was proved, or less than everything was read.
    reason text,
    home_currency text,
    -- Up to the end of which day the reports were read.
    report_day date,
    -- Of all customers, in the home currency.
    quickbooks_total numeric(20, 4),
    peakflo_total numeric(20, 4),
    -- What the differences come to, each taken as positive, and how much of that has a known cause.
    difference_total numeric(20, 4),
    explained_total numeric(20, 4),
    -- How long the longest difference that has gone or is explained since the proof before had been without a cause.
    time_to_explanation interval,
    repaired integer not null default 0,
    -- Per entity: {"quickbooks", "peakflo", "compared", "whole"}.
    counts jsonb not null default '{}',
    calls integer not null default 0
);

create index on proof.proof (company_id, realm_id, proof_id desc);
create index on proof.proof (run_id);

-- What each customer owes by either side, in the home currency, without its sub-customers.
create table proof.customer (
    proof_id bigint not null references proof.proof (proof_id) on delete cascade,
    customer_id text not null,
    name text,
    quickbooks numeric(20, 4) not null,
    peakflo numeric(20, 4) not null,
    primary key (proof_id, customer_id)
);

create table proof.difference (
    proof_id bigint not null references proof.proof (proof_id) on delete cascade,
    position integer not null,
    -- Why they differ, as include.receivables.proof.classes tells.
    class text not null,
    entity text not null,
    -- QuickBooks' Id, and what people call it.
    qbo_id text not null default '',
    name text,
    customer_id text not null default '',
    customer_name text,
    -- In which respect.
    field text not null,
    quickbooks text,
    peakflo text,
    -- What it comes to, in the home currency; 0 where it is not about money.
    amount numeric(20, 4) not null,
    is_explained boolean not null,
    is_repaired boolean not null,
    sentence text not null,
    remedy text not null,
    owner text not null,
    first_found_at timestamptz not null,
    primary key (proof_id, position)
);

-- How far the records of an entity have been compared: so much a night, and from the beginning again.
create table proof.progress (
    realm_id text not null,
    entity text not null,
    -- Everything created earlier was compared in this round; null at the beginning.
    created_since timestamptz,
    -- When the last record of a round was compared.
    finished_at timestamptz,
    primary key (realm_id, entity)
);
