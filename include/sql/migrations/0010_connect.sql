-- Consents on their way: who went to QuickBooks for which company, and what came of it.
create table sync.connect_request (
    -- Of the state that QuickBooks brings back; whoever reads the table cannot come back with it.
    state_hash bytea primary key,
    -- Of the cookie of the browser that began.
    session_hash bytea not null,
    requested_by text not null,
    company_id text not null,
    company_name text not null,
    intent text not null check (intent in ('connect', 'reconnect', 'change')),
    -- The books that have to be chosen; null when any may be.
    expected_realm_id text,
    requested_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at timestamptz,
    -- Set in the transaction that stores the tokens.
    connected_at timestamptz
);

create index on sync.connect_request (expires_at);

-- Records of two QuickBooks companies may have the same Id: each has its own problems.
drop index sync.problem_unresolved;

create unique index problem_unresolved
on sync.problem (company_id, realm_id, direction, entity, qbo_id, code, peakflo_id) nulls not distinct
where state <> 'resolved';

create or replace function outbox.report_edit(edited_company text, edited_payments uuid[]) returns void
language plpgsql as $$
begin
    perform 1
    from outbox.delivery
    where company_id = edited_company and payment_id = any(edited_payments)
    order by delivery_id
    for update;
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
        and operation = 'create'
        and state in ('sending', 'delivered', 'unknown', 'possible_orphan')
    group by company_id, payment_id
    on conflict (company_id, realm_id, direction, entity, qbo_id, code, peakflo_id) where state <> 'resolved' do update
        set attempts = kept.attempts + 1, last_seen_at = now();
end
$$;
