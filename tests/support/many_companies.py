"""Thousands of companies with what years of syncing leave behind, made up in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg

COMPANIES = """
insert into peakflo.company (company_id, realm_id, name, source_name, home_currency, country)
select
    'company-' || number,
    (9130000000000 + number)::text,
    (array['Acme', 'Brightside', 'Copperfield', 'Dunmore', 'Evergreen', 'Fairwind', 'Granite'])[1 + number %% 7]
    || ' ' || (array['Foods', 'Logistics', 'Studio', 'Robotics', 'Textiles'])[1 + number %% 5] || ' ' || number,
    'Books of company ' || number,
    (array['USD', 'SGD', 'IDR'])[1 + number %% 3],
    (array['US', 'SG', 'ID'])[1 + number %% 3]
from generate_series(1, %(companies)s) as number
"""
CONNECTIONS = """
insert into sync.connection (company_id, realm_id, status, connected_at, connected_by)
select
    company_id,
    realm_id,
    case
        when number %% 97 = 0 then 'reauthorize'
        when number %% 41 = 0 then 'paused'
        when number %% 61 = 0 then 'disconnected'
        else 'connected'
    end,
    now() - interval '200 days',
    'admin'
from (select *, split_part(company_id, '-', 2)::integer as number from peakflo.company) as company
"""
CURSORS = """
insert into staging.cursor (realm_id, entity, changed_since)
select
    connection.realm_id,
    entity,
    now() - case status when 'connected' then interval '3 minutes' else interval '9 days' end
from sync.connection as connection
cross join unnest(array['account', 'payment', 'credit_memo', 'invoice', 'customer']) as entity
"""
RUNS = """
insert into sync.run (company_id, realm_id, dag_id, dag_run_id, state, started_at, ended_at, counts, calls)
select
    company_id,
    realm_id,
    'quickbooks_to_peakflo',
    'scheduled__' || turn,
    case when (turn + hashtext(company_id)) %% 29 = 0 then 'failed' else 'success' end,
    now() - turn * interval '5 minutes',
    now() - turn * interval '5 minutes' + interval '2 seconds',
    '{"payment": {"read": 2, "changed": 1, "merged": 1, "deleted": 0}}',
    1
from generate_series(1, %(runs)s) as turn
cross join sync.connection
"""
PROBLEMS = """
insert into sync.problem (company_id, realm_id, direction, entity, qbo_id, code, message, cure, actor, state)
select
    company_id,
    realm_id,
    'inbound',
    'payment',
    number::text,
    'missing_reference',
    'QuickBooks'' payment ' || number || ' belongs to a customer that QuickBooks does not have.',
    'Correct the record in QuickBooks; the next sync takes it in and closes this.',
    'bookkeeper',
    case when number <= hashtext(company_id) %% 4 then 'open' else 'resolved' end
from sync.connection
cross join generate_series(1, 12) as number
"""
CALLS = """
insert into sync.api_call (realm_id, day, kind, calls, metered)
select
    realm_id,
    (now() at time zone 'utc')::date - back,
    kind,
    case kind when 'cdc' then 288 else 4 end,
    case kind when 'create' then 0 when 'cdc' then 4 else 1 end
from sync.connection
cross join generate_series(0, %(days)s - 1) as back
cross join unnest(array['cdc', 'query', 'read', 'create']) as kind
"""
DELIVERIES = """
insert into outbox.delivery (company_id, realm_id, payment_id, kind, code)
select
    company_id,
    realm_id,
    gen_random_uuid() as payment_id,
    case when number <= hashtext(company_id) %% 3 then 'waits' else 'agrees' end as kind,
    case when number <= hashtext(company_id) %% 3 then 'account_unmapped' else 'delivered' end as code
from sync.connection
cross join generate_series(1, 20) as number
"""


def add_companies(db: psycopg.Connection, companies: int = 3000, *, runs: int = 5, days: int = 60) -> None:
    """
    Add companies that have been connected for a while.

    :param runs: in each one's sync log.
    :param days: of calls of its in the ledger.
    """
    sizes = {"companies": companies, "runs": runs, "days": days}
    for statement in (COMPANIES, CONNECTIONS, CURSORS, RUNS, PROBLEMS, CALLS, DELIVERIES):
        db.execute(statement, sizes)
    db.execute("analyze")
