-- Which Peakflo record a QuickBooks record is: identity and nothing else. It outlives a disconnect.
create schema mapping;

create table mapping.record (
    realm_id text not null,
    entity text not null,
    qbo_id text not null,
    peakflo_id uuid not null,
    origin text not null check (origin in ('quickbooks', 'peakflo')),
    mapped_at timestamptz not null default now(),
    primary key (realm_id, qbo_id, entity),
    unique (realm_id, peakflo_id, entity)
) partition by list (entity);

create table mapping.account partition of mapping.record for values in ('account');
create table mapping.customer partition of mapping.record for values in ('customer');
create table mapping.invoice partition of mapping.record for values in ('invoice');
create table mapping.payment partition of mapping.record for values in ('payment');
create table mapping.credit_note partition of mapping.record for values in ('credit_note');
create table mapping.tax_code partition of mapping.record for values in ('tax_code');
create table mapping.tax_rate partition of mapping.record for values in ('tax_rate');

-- Few are Peakflo's, which are looked through with each merge of payments.
create index on mapping.payment (realm_id, qbo_id) where origin = 'peakflo';

-- The id of a record born in QuickBooks: the same whenever and wherever it is computed, so that dropping
-- peakflo.* and merging again gives equal tables. A UUID of version 8 (RFC 9562) over a SHA-256.
create function mapping.peakflo_id(realm_id text, entity text, qbo_id text) returns uuid
language sql immutable strict parallel safe
return
overlay(
    overlay(
        encode(substring(sha256(convert_to(realm_id || '/' || entity || '/' || qbo_id, 'UTF8')) from 1 for 16), 'hex')
        placing '8' from 13
    )
    placing '8' from 17
)::uuid;

-- Customers that were merged into another one in QuickBooks, which made all that they had that one's.
create table mapping.merged_customer (
    realm_id text not null,
    qbo_id text not null,
    into_qbo_id text not null,
    mapped_at timestamptz not null default now(),
    primary key (realm_id, qbo_id)
);

-- As which customer one goes on, however often it was merged; itself if it never was.
create function mapping.survivor(of_realm text, of_customer text) returns text
language sql stable parallel safe as $$
    with recursive followed as (
        select of_customer as qbo_id
        union
        select merged.into_qbo_id
        from followed
        inner join mapping.merged_customer as merged
            on merged.realm_id = of_realm and followed.qbo_id = merged.qbo_id
    )

    select coalesce(
        (
            select followed.qbo_id
            from followed
            where not exists (
                select
                from mapping.merged_customer as merged
                where merged.realm_id = of_realm and merged.qbo_id = followed.qbo_id
            )
        ),
        of_customer
    )
$$;

-- Both sides' ids of a customer that was merged, and of the one as which it goes on.
create view mapping.customer_merge as
select
    merged.realm_id,
    merged.qbo_id,
    survivor.qbo_id as survivor_qbo_id,
    loser.peakflo_id,
    survivor.peakflo_id as survivor_id
from mapping.merged_customer as merged
inner join mapping.customer as loser on merged.realm_id = loser.realm_id and merged.qbo_id = loser.qbo_id
inner join mapping.customer as survivor
    on
        merged.realm_id = survivor.realm_id
        and survivor.qbo_id = mapping.survivor(merged.realm_id, merged.qbo_id);
