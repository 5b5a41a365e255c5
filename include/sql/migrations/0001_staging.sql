-- What QuickBooks said: each record in its newest version and in all earlier ones, and how to read it.
create schema staging;

-- One table per entity, all of one shape, as partitions, so that one statement stages any entity and readers still
-- meet staging.invoice, staging.payment and so on.
create table staging.record (
    realm_id text not null,
    entity text not null,
    qbo_id text not null,
    sync_token integer not null,
    -- QuickBooks' LastUpdatedTime, never later than the second in which it was read.
    qbo_updated_at timestamptz not null,
    deleted_at timestamptz,
    -- Of the bytes as they came: tells without a look at the payload that a record is the same.
    content_hash bytea not null,
    payload jsonb not null,
    -- QuickBooks' own time of the answer that brought this version.
    read_at timestamptz not null,
    -- The sync.run that staged this version.
    run_id bigint not null,
    -- The entity last: within a partition it is always the same.
    primary key (realm_id, qbo_id, entity)
) partition by list (entity);

create table staging.account partition of staging.record for values in ('account');
create table staging.tax_code partition of staging.record for values in ('tax_code');
create table staging.tax_rate partition of staging.record for values in ('tax_rate');
create table staging.payment_method partition of staging.record for values in ('payment_method');
create table staging.term partition of staging.record for values in ('term');
create table staging.company_info partition of staging.record for values in ('company_info');
create table staging.preferences partition of staging.record for values in ('preferences');
create table staging.journal_entry partition of staging.record for values in ('journal_entry');

-- Keep usual transactions as they are: to compress each on its way in takes as long as all the rest.
create table staging.customer partition of staging.record for values in ('customer') with (toast_tuple_target = 8160);
create table staging.invoice partition of staging.record for values in ('invoice') with (toast_tuple_target = 8160);
create table staging.payment partition of staging.record for values in ('payment') with (toast_tuple_target = 8160);
create table staging.credit_memo partition of staging.record for values in ('credit_memo')
with (toast_tuple_target = 8160);

create function staging.queue_inserted() returns trigger
language plpgsql as $$
begin
    insert into staging.unmerged (realm_id, entity, qbo_id)
    select realm_id, entity, qbo_id from inserted
    on conflict do nothing;
    return null;
end
$$;

create trigger queue_inserted
after insert on staging.record
referencing new table as inserted
for each statement execute function staging.queue_inserted();

create function staging.keep_replaced() returns trigger
language plpgsql as $$
begin
    insert into staging.history
        (realm_id, entity, qbo_id, sync_token, qbo_updated_at, deleted_at, payload, read_at, run_id)
    select realm_id, entity, qbo_id, sync_token, qbo_updated_at, deleted_at, payload, read_at, run_id
    from replaced;
    insert into staging.unmerged (realm_id, entity, qbo_id)
    select realm_id, entity, qbo_id from replaced
    on conflict do nothing;
    insert into staging.gone_customer (realm_id, qbo_id)
    select staged.realm_id, staged.qbo_id
    from replaced
    inner join staging.customer as staged on replaced.realm_id = staged.realm_id and replaced.qbo_id = staged.qbo_id
    where
        replaced.entity = 'customer'
        and staging.is_gone(staged.deleted_at, staged.payload)
        and not staging.is_gone(replaced.deleted_at, replaced.payload)
    on conflict do nothing;
    return null;
end
$$;

create trigger keep_replaced
after update on staging.record
referencing old table as replaced
for each statement execute function staging.keep_replaced();

-- Every version that a newer one replaced.
create table staging.history (
    realm_id text not null,
    entity text not null,
    qbo_id text not null,
    version_id bigint generated always as identity,
    sync_token integer not null,
    qbo_updated_at timestamptz not null,
    deleted_at timestamptz,
    payload jsonb not null,
    read_at timestamptz not null,
    run_id bigint not null,
    replaced_at timestamptz not null default now(),
    primary key (realm_id, entity, qbo_id, version_id)
);

-- Whose a record is: the customer of an invoice, a payment or a credit memo, or the parent of a sub-customer. What is
-- longer than an Id is none, and would not fit the index.
create function staging.owner_of(record jsonb) returns text
language sql immutable parallel safe
return left(coalesce(record #>> '{CustomerRef,value}', record #>> '{ParentRef,value}'), 51);

-- Tell whether a record of an entity may be somebody's. The planner puts the list in the place of the call, and plans
-- for no other partition.
create function staging.has_owner(entity text) returns boolean
language sql immutable parallel safe
return entity in ('customer', 'invoice', 'payment', 'credit_memo');

-- What was replaced long ago, to forget it.
create index on staging.history using brin (replaced_at);

-- What a customer had once.
create index on staging.history (realm_id, staging.owner_of(payload)) where staging.has_owner(entity);

-- The records, table by table: whoever may see only some companies' rows may not read the parent of the tables.
create view staging.seen_record as
select * from staging.account -- noqa: AM04
union all
select * from staging.tax_code
union all
select * from staging.tax_rate
union all
select * from staging.payment_method
union all
select * from staging.term
union all
select * from staging.company_info
union all
select * from staging.preferences
union all
select * from staging.journal_entry
union all
select * from staging.customer
union all
select * from staging.invoice
union all
select * from staging.payment
union all
select * from staging.credit_memo;

-- Every version seen: what QuickBooks had said at a moment is the newest one read before it.
create view staging.version as
select
    realm_id,
    entity,
    qbo_id,
    sync_token,
    qbo_updated_at,
    deleted_at,
    payload,
    read_at,
    run_id,
    replaced_at
from staging.history
union all
select
    realm_id,
    entity,
    qbo_id,
    sync_token,
    qbo_updated_at,
    deleted_at,
    payload,
    read_at,
    run_id,
    null as replaced_at
from staging.seen_record;

-- The versions that have not been merged yet. A row leaves in the transaction that merges it, so a kill
-- in between loses nothing; one that waits for a record it points at stays.
create table staging.unmerged (
    realm_id text not null,
    entity text not null,
    qbo_id text not null,
    queued_at timestamptz not null default now(),
    primary key (realm_id, entity, qbo_id)
);

-- Tell whether QuickBooks has no such customer any more: it was made inactive, merged into another one, or deleted.
create function staging.is_gone(deleted_at timestamptz, customer jsonb) returns boolean
language sql immutable parallel safe
return deleted_at is not null or coalesce(customer ->> 'Active', '') = 'false';

-- The customers that went: what they had may be another's by now, and was not read since.
create table staging.gone_customer (
    realm_id text not null,
    qbo_id text not null,
    primary key (realm_id, qbo_id)
);

-- From which moment of QuickBooks' clock the next read of an entity asks for changes.
create table staging.cursor (
    realm_id text not null,
    entity text not null,
    changed_since timestamptz not null,
    primary key (realm_id, entity)
) with (fillfactor = 50);

-- How far an import has read an entity, so that it goes on where it was stopped.
create table staging.import_progress (
    realm_id text not null,
    entity text not null,
    -- QuickBooks' time of the import's first answer: changes from then on are read again at the end.
    started_at timestamptz not null,
    -- Everything created earlier was read; null at the beginning.
    created_since timestamptz,
    -- Of what was created since, the row to read on from, and the records from there on that were read already.
    start_position integer not null default 1,
    last_ids text[] not null default '{}',
    records_read integer not null default 0,
    finished_at timestamptz,
    primary key (realm_id, entity)
) with (fillfactor = 50);

-- The Ids that a running import has met, a row per page that it read, to find those that vanished.
create table staging.import_seen (
    realm_id text not null,
    entity text not null,
    qbo_ids text[] not null
);

create index on staging.import_seen (realm_id, entity);

-- The elements of a list in a record; none where QuickBooks has something else in its place, so that a statement about
-- many records does not fail for one of them. What is merged is read strictly instead: there, such a record is refused.
create function staging.items(list jsonb) returns setof jsonb
language sql immutable parallel safe rows 4 as $$
    select element.item
    from jsonb_array_elements(case jsonb_typeof(list) when 'array' then list else '[]' end) as element (item)
$$;

-- What is merged is read as these, strictly: a record that has something else in their place is refused.
create domain staging.number as numeric
constraint is_a_number check (value > '-Infinity' and value < 'Infinity');

-- An empty one is none.
create domain staging.day as text
constraint is_a_day check (value ~ '^$|^\d{4}-\d\d-\d\d(?!\d)');

create domain staging.object as jsonb
constraint is_an_object check (jsonb_typeof(value) in ('object', 'null'));

-- What points at another record.
create domain staging.reference as staging.object
constraint is_a_reference check (
    coalesce(jsonb_typeof(value -> 'value'), 'null') in ('string', 'number', 'null')
    and coalesce(value ->> 'value', '-') <> ''
);

-- One that is null is none. What they link to is told by an Id, which is never left out. Only a strict path takes a
-- list in the place of a line for what it is: else it would be looked into.
create domain staging.lines as jsonb
constraint are_lines check (
    jsonb_typeof(value) = 'array'
    and not jsonb_path_exists(value, 'strict $[*] ? (!(@.type() == "object" || @.type() == "null"))')
    and not jsonb_path_exists(
        value, '$[*].LinkedTxn[*] ? (!(@.TxnId.type() == "string" || @.TxnId.type() == "number"))'
    )
);

-- An amount in a record; null where QuickBooks has something else in its place.
create function staging.amount(value text) returns numeric
language sql stable parallel safe
return case when pg_input_is_valid(value, 'staging.number') then value::numeric end;

-- A text of a record's JSON; an empty one, or what is no text, is none.
create function staging.text(value jsonb) returns text
language sql immutable parallel safe
return case when jsonb_typeof(value) = 'string' then nullif(btrim(value #>> '{}'), '') end;

-- Refuse a record for what it has in the place of an amount.
create function staging.refuse_amount(value text, name text) returns numeric
language plpgsql stable parallel safe as $$
begin
    if coalesce(btrim(value), '') = '' then
        raise exception using errcode = 'not_null_violation', message = format('it has no %s', name);
    end if;
    raise exception using
        errcode = 'invalid_text_representation', message = format('its %s is no amount: %s', name, left(value, 40));
end
$$;

-- An amount that a record must have, from its JSON: what is missing is not zero.
create function staging.needed_amount(value text, name text) returns numeric
language sql stable parallel safe
return
    case
        when pg_input_is_valid(value, 'staging.number') then value::numeric
        else staging.refuse_amount(value, name)
    end;

-- Tell whether the JSON of an invoice, a credit memo, a payment or a journal entry is that of a voided one. The API
-- has no flag for it. Intuit zeroes all amounts and quantities, takes a payment's lines away, and puts "Voided" before
-- the note; but that word is in the company's language, and anybody may write it. So a record is void if all its
-- amounts are 0 and it has some. What is left for nothing to a customer has a quantity, what is discounted in full has
-- amounts, and so has a payment of 0 that links credits to invoices: they are not void. A form of 0 without any of
-- these may be called void wrongly, which harms nobody: nothing is owed by it, and nothing is settled.
create function staging.is_voided(record jsonb) returns boolean
language sql immutable parallel safe
return
    not jsonb_path_exists(
        record,
        '$ ? (
            exists(@.TotalAmt ? (@.double() != 0))
            || exists(@.Balance ? (@.double() != 0))
            || exists(@.RemainingCredit ? (@.double() != 0))
            || exists(@.UnappliedAmt ? (@.double() != 0))
            || exists(@.Line.**.Amount ? (@.double() != 0))
            || exists(@.Line.**.Qty ? (@.double() != 0))
        )'
    )
    and jsonb_path_exists(
        record,
        '$ ? (exists(@.TotalAmt ? (@.double() == 0)) || exists(@.Line[*].Amount ? (@.double() == 0)))'
    );

-- An invoice's lines, with the members of a bundle in its place if they add up to its amount or it has none; else it
-- stays a line itself.
create function staging.unbundled(lines jsonb) returns jsonb
language sql immutable parallel safe as $$
    select jsonb_agg(coalesce(member.item, line.item) order by line.ordinal, member.ordinal)
    from jsonb_array_elements(lines) with ordinality as line (item, ordinal)
    left join lateral jsonb_array_elements(
        case
            when jsonb_typeof(line.item #> '{GroupLineDetail,Line}') <> 'array' then null
            when
                coalesce((line.item ->> 'Amount')::staging.number, 0) in (
                    0,
                    (
                        select sum((inside.item ->> 'Amount')::staging.number)
                        from jsonb_array_elements(line.item #> '{GroupLineDetail,Line}') as inside (item)
                    )
                )
                then line.item #> '{GroupLineDetail,Line}'
        end
    ) with ordinality as member (item, ordinal) on true
$$;

-- The lines of an invoice's JSON, and its discounts, in their order: the lines less the discounts, with the tax, are
-- the total. A subtotal only repeats the lines before it. Whatever QuickBooks may call a line one day is one.
create function staging.invoice_lines(invoice jsonb) returns table (ordinal bigint, item jsonb, is_discount boolean)
language sql immutable parallel safe as $$
    select
        line.ordinal,
        line.item,
        coalesce(line.item ->> 'DetailType', '') = 'DiscountLineDetail'
    from jsonb_array_elements(
        case
            when jsonb_path_exists(invoice, '$.Line[*].GroupLineDetail') then staging.unbundled(invoice -> 'Line')
            else invoice -> 'Line'
        end
    ) with ordinality as line (item, ordinal)
    where jsonb_typeof(line.item) = 'object' and line.item ->> 'DetailType' is distinct from 'SubTotalLineDetail'
$$;

-- When what is issued on a day is due by a payment term's JSON: after some days, or on a day of the month; of the next
-- month if that day is over or as close as the term says. None if the term says neither.
create function staging.due_date(issued date, term jsonb) returns date
language sql immutable parallel safe as $$
    select
        case
            when term.days is not null then issued + term.days
            when term.day is null then null
            when due.this_month >= issued and due.this_month - issued > coalesce(term.close_days, 0)
                then due.this_month
            else due.next_month
        end
    from (
        select
            nullif(term ->> 'DueDays', '')::integer as days,
            nullif(term ->> 'DayOfMonthDue', '')::integer as day,
            nullif(term ->> 'DueNextMonthDays', '')::integer as close_days,
            date_trunc('month', issued)::date as first
    ) as term
    cross join lateral (
        select
            -- Of a month that is shorter, the last day.
            least(term.first + term.day - 1, (term.first + interval '1 month')::date - 1) as this_month,
            least(
                (term.first + interval '1 month')::date + term.day - 1, (term.first + interval '2 months')::date - 1
            ) as next_month
    ) as due
$$;

-- The e-mail addresses in a text, which may hold several, with names around them; null if it holds none.
create function staging.addresses(value text) returns text[]
language plpgsql immutable parallel safe strict as $$
begin
    if value ~ '^[^\s,;:<>()"]+@[^\s,;:<>()"]+$' then
        return array[value];
    end if;
    return nullif(
        array(select address[1] from regexp_matches(value, '[^\s,;:<>()"]+@[^\s,;:<>()"]+', 'g') as address), '{}'
    );
end
$$;
