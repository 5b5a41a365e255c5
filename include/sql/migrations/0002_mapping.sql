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
