"""What each user of the receivables database may do, and whose rows they see."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.support.bookkeeper import Bookkeeper
from tests.support.cashier import Cashier
from tests.support.databases import for_user
from tests.support.rows import insert

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.receivables.company.companies import Company
    from tests.support.workbench import Workbench

SCHEMAS = ["staging", "mapping", "peakflo", "sync", "outbox", "proof"]
OWNER, SYNC, PAGES = "receivables_owner", "receivables_sync", "receivables_pages"
WEBHOOK, APP = "receivables_webhook", "peakflo_app"
READ = {"select"}
ALL = {"select", "insert", "update", "delete"}

# Per user, what it may do with a table beyond what it may do with all of its schema; columns in brackets.
PEAKFLO_PAYMENT = (
    "amount company_id currency customer_id deposit_account_id exchange_rate id method note payment_date "
    "processing_fee realm_id reference settled_at wallet"
)
ALLOCATION = (
    "amount company_id payment_id position rounding_amount target_id target_type withholding_tax_amount "
    "withholding_tax_type"
)
WRITES: dict[str, dict[str, set[str]]] = {
    SYNC: {
        "sync.audit": READ,
        "sync.audit_head": READ,
        "sync.company_member": READ,
        "outbox.record": READ,
        "outbox.move": READ,
        "outbox.allowed_move": READ,
        "outbox.decision": READ | {"insert"},
        "peakflo.reminder_verdict": READ | {"insert"},
    },
    PAGES: {
        "staging.record": set(),
        "sync.audit": set(),
        "sync.audit_head": set(),
        "staging.unmerged": READ | {"insert"},
        "sync.connect_request": ALL,
        "sync.account_mapping": ALL,
        "sync.connection": READ | {"insert", "update"},
        "peakflo.company": READ | {"insert", "update"},
        "sync.company_setting": READ | {"insert(auto_sync company_id)", "update(auto_sync)"},
        "sync.problem": READ
        | {
            "insert",
            "update(actor cure decided_at decided_by decision last_seen_at message resolved_at state)",
        },
        "sync.alert_channel": READ | {"insert", "update(removed_at)"},
        "outbox.decision": READ | {"insert"},
        "outbox.delivery": READ | {"update(code kind sentence since)"},
        "outbox.queue": READ | {"delete"},
        "peakflo.payment_allocation": READ | {"update(target_id target_source_id)"},
    },
    WEBHOOK: {
        "sync.connection": {"select(company_id realm_id status)"},
        "sync.webhook_event": READ | {"insert"},
        "sync.webhook_proof": READ | {"insert", "update"},
        "sync.webhook_count": READ | {"insert", "update"},
    },
    APP: {
        "peakflo.payment": READ | {f"insert({PEAKFLO_PAYMENT})", "update(settled_at status)"},
        "peakflo.payment_allocation": READ | {f"insert({ALLOCATION})"},
    },
}
USUAL = {
    SYNC: dict.fromkeys(SCHEMAS, ALL),
    PAGES: dict.fromkeys(SCHEMAS, READ),
    WEBHOOK: {},
    APP: {"peakflo": READ},
}
GRANTED = """
select
    format('%%I.%%I', namespace.nspname, relation.relname),
    lower(privilege.name),
    has_table_privilege(%(user)s, relation.oid, privilege.name),
    case
        when privilege.name <> 'DELETE'
            then (
                select string_agg(attname, ' ' order by attname)
                from pg_attribute
                where
                    attrelid = relation.oid
                    and attnum > 0
                    and has_column_privilege(%(user)s, relation.oid, attname::text, privilege.name)
            )
    end
from pg_class as relation
inner join pg_namespace as namespace on relation.relnamespace = namespace.oid
cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) as privilege (name)
where relation.relkind in ('r', 'p', 'v') and namespace.nspname = any(%(schemas)s)
"""
OTHER = """
select count(*)
from pg_class as relation
inner join pg_namespace as namespace on relation.relnamespace = namespace.oid
where
    namespace.nspname = any(%(schemas)s)
    and relation.relkind in ('r', 'p', 'v')
    and has_table_privilege(%(user)s, relation.oid, 'TRUNCATE, REFERENCES, TRIGGER')
"""


def granted(db: psycopg.Connection, user: str) -> dict[str, set[str]]:
    """Return what a user may do with each table and view."""
    found: dict[str, set[str]] = {}
    for table, privilege, is_whole, columns in db.execute(GRANTED, {"user": user, "schemas": SCHEMAS}):
        may = found.setdefault(table, set())
        if is_whole:
            may.add(privilege)
        elif columns:
            may.add(f"{privilege}({columns})")
    return found


@pytest.fixture(params=list(WRITES))
def user(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_user_may_do_what_stands_here_and_nothing_else(db: psycopg.Connection, user: str):
    expected = {
        table: WRITES[user].get(table, USUAL[user].get(table.partition(".")[0], set()))
        for table in granted(db, user)
    }
    actual = granted(db, user)
    for table in sorted(actual):
        print(f"{user:20} {table:32} {', '.join(sorted(actual[table])) or '-'}")
    assert actual == expected
    assert db.execute(OTHER, {"user": user, "schemas": SCHEMAS}).fetchone() == (0,)


def test_a_user_makes_nothing_of_its_own(db: psycopg.Connection, user: str):
    made = [
        schema
        for (schema,) in db.execute("select nspname from pg_namespace where nspname !~ '^pg_'")
        if db.execute("select has_schema_privilege(%s, %s, 'CREATE')", [user, schema]).fetchone() == (True,)
    ]
    assert made == []


def test_what_runs_with_the_owners_rights_is_for_those_who_need_it(db: psycopg.Connection):
    called = """
        select format('%I.%I', namespace.nspname, routine.proname), array_agg(asked.name order by asked.name)
        from pg_proc as routine
        inner join pg_namespace as namespace on routine.pronamespace = namespace.oid
        cross join unnest(%s::text[]) as asked (name)
        where
            routine.prosecdef
            and namespace.nspname = any(%s)
            and routine.prorettype <> 'trigger'::regtype
            and has_function_privilege(asked.name, routine.oid, 'EXECUTE')
        group by 1
    """
    assert dict(db.execute(called.replace("%I", "%%I"), [list(WRITES), SCHEMAS]).fetchall()) == {
        "outbox.begin": [SYNC],
        "outbox.enqueue": [PAGES, SYNC],
        "outbox.lock_payment": [PAGES, SYNC],
        "outbox.move": [SYNC],
        "outbox.prune_moves": [SYNC],
        "peakflo.prune_verdicts": [SYNC],
        "sync.note_act": [PAGES, SYNC],
        # Tells each session no more than what it has said itself.
        "sync.seen_companies": sorted(WRITES),
    }
    unsafe = db.execute(
        "select proname from pg_proc where prosecdef and pronamespace = any(%s::regnamespace[])"
        " and coalesce(proconfig, '{}') <> '{search_path=pg_catalog}'",
        [SCHEMAS],
    ).fetchall()
    assert unsafe == []


def test_every_table_and_view_minds_whose_rows_it_shows(db: psycopg.Connection):
    open_tables = db.execute(
        "select oid::regclass::text from pg_class where relkind in ('r', 'p')"
        " and relnamespace = any(%s::regnamespace[]) and not relrowsecurity",
        [SCHEMAS],
    ).fetchall()
    open_views = db.execute(
        "select oid::regclass::text from pg_class where relkind = 'v' and relnamespace = any(%s::regnamespace[])"
        " and not coalesce(reloptions, '{}') @> '{security_invoker=true}'",
        [SCHEMAS],
    ).fetchall()
    # Nobody but the sync may read it: see the test above.
    assert open_tables == [("staging.record",)]
    assert open_views == []


@dataclass(frozen=True)
class Two:
    """Two companies with all that they have: invoices, payments, runs, and a payment of Peakflo's each."""

    bench: Workbench
    acme: Company
    globex: Company

    def cashier(self, company_id: str) -> Cashier:
        """Return who takes a company's payments."""
        company = {"acme": self.acme, "globex": self.globex}[company_id]
        return Cashier(self.bench, company, Bookkeeper(self.bench.sandbox, company.realm_id))

    def invoice(self, company_id: str) -> dict[str, Any]:
        """Return an open invoice in dollars."""
        with self.bench.db.cursor(row_factory=dict_row) as cursor:
            found = cursor.execute(
                "select * from peakflo.invoice where company_id = %s and status = 'sent' and currency = 'USD'"
                " order by id limit 1",
                [company_id],
            ).fetchone()
        assert found is not None
        return found

    def payment_of_quickbooks(self, company_id: str) -> uuid.UUID:
        """Return a payment that QuickBooks had first."""
        [found] = self.bench.db.execute(
            "select id from peakflo.payment where company_id = %s and origin = 'quickbooks' limit 1",
            [company_id],
        ).fetchone() or [None]
        assert isinstance(found, uuid.UUID)
        return found


@pytest.fixture
def two(bench: Workbench) -> Two:
    """Two companies, of which each has a payment that is delivered."""
    companies = [bench.connect("demo", company_id=company_id) for company_id in ("acme", "globex")]
    two = Two(bench, *companies)
    for company in companies:
        bench.import_all(company)
        cashier = two.cashier(company.company_id)
        cashier.map_accounts()
        take(bench.db, two, company.company_id)
        cashier.push()
        bench.sync(company)
    return two


@pytest.fixture
def as_(db_url: str) -> Iterator[Any]:
    """Sign in as a user of the database who works for some companies."""
    opened = []

    def sign_in(user: str, companies: str | None = None) -> psycopg.Connection:
        db = psycopg.connect(for_user(db_url, user), autocommit=True)
        opened.append(db)
        if companies is not None:
            db.execute("select set_config('receivables.companies', %s, false)", [companies])
        return db

    yield sign_in
    for db in opened:
        db.close()


ROWS = """
select format('%I.%I', namespace.nspname, relation.relname), array_agg(attribute.attname::text)
from pg_class as relation
inner join pg_namespace as namespace on relation.relnamespace = namespace.oid
inner join pg_attribute as attribute on relation.oid = attribute.attrelid
where
    relation.relkind in ('r', 'v')
    and namespace.nspname = any(%s)
    and attribute.attname in ('company_id', 'realm_id')
    and has_table_privilege(relation.oid, 'SELECT')
group by 1
"""


def owners_in(db: psycopg.Connection, schemas: list[str]) -> dict[str, set[str]]:
    """Return whose rows a session sees, by table and view: the ids of companies and of their books."""
    tables = db.execute(ROWS.replace("%I", "%%I"), [schemas]).fetchall()
    return {
        table: {
            value
            for column in columns
            for (value,) in db.execute(f"select distinct {column} from {table} where {column} is not null")
        }
        for table, columns in tables
    }


def test_a_page_shows_nothing_of_companies_that_it_does_not_work_for(two: Two, as_: Any):
    everybody = owners_in(as_(PAGES, "*"), SCHEMAS)
    for own, other in ((two.acme, two.globex), (two.globex, two.acme)):
        foreign = {other.company_id, other.realm_id}
        seen = owners_in(as_(PAGES, own.company_id), SCHEMAS)
        assert {table: owners & foreign for table, owners in seen.items() if owners & foreign} == {}
        ours = {own.company_id, own.realm_id}
        assert {table: owners & ours for table, owners in seen.items()} == {
            table: owners & ours for table, owners in everybody.items()
        }
    assert {"staging.payment", "mapping.invoice", "sync.run", "outbox.delivery", "peakflo.payment"} <= {
        table for table, owners in everybody.items() if owners & {two.globex.company_id, two.globex.realm_id}
    }


@pytest.mark.parametrize("companies", [None, ""])
def test_a_page_that_does_not_say_for_whom_it_works_sees_nobody(two: Two, as_: Any, companies: str | None):
    assert set().union(*owners_in(as_(PAGES, companies), SCHEMAS).values()) == set()


def test_a_page_changes_nothing_of_companies_that_it_does_not_work_for(two: Two, as_: Any):
    db = as_(PAGES, two.acme.company_id)
    paused = "update sync.connection set status = 'paused' where company_id = %s"
    assert db.execute(paused, [two.globex.company_id]).rowcount == 0
    assert db.execute(paused, [two.acme.company_id]).rowcount == 1
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
        db.execute(
            "insert into sync.account_mapping (company_id, realm_id, purpose, account_qbo_id)"
            " values (%s, %s, 'processing_fees', '1')",
            [two.globex.company_id, two.globex.realm_id],
        )


def test_peakflo_sees_its_rows_of_the_companies_that_it_names(two: Two, as_: Any):
    assert set().union(*owners_in(as_(APP), ["peakflo"]).values()) == set()
    assert set().union(*owners_in(as_(APP, "*"), ["peakflo"]).values()) == set()
    seen = owners_in(as_(APP, "acme"), ["peakflo"])
    assert set().union(*seen.values()) == {two.acme.company_id, two.acme.realm_id}
    assert {table for table, owners in seen.items() if owners} >= {
        "peakflo.invoice",
        "peakflo.customer",
        "peakflo.payment",
        "peakflo.payment_allocation",
        "peakflo.invoice_today",
    }
    both = owners_in(as_(APP, "acme,globex"), ["peakflo"])
    assert two.globex.company_id in both["peakflo.invoice"]


def test_a_login_that_is_named_works_for_no_other_company(two: Two, db: psycopg.Connection, as_: Any):
    db.execute("insert into sync.company_member values ('login', %s, 'acme')", [APP])
    assert owners_in(as_(APP, "globex"), ["peakflo"])["peakflo.invoice"] == set()
    seen = owners_in(as_(APP, "acme,globex"), ["peakflo"])
    assert set().union(*seen.values()) == {two.acme.company_id, two.acme.realm_id}
    db.execute("insert into sync.company_member values ('login', %s, '*')", [APP])
    assert two.globex.company_id in owners_in(as_(APP, "globex"), ["peakflo"])["peakflo.invoice"]


def take(db: psycopg.Connection, two: Two, company_id: str = "acme", **columns: Any) -> uuid.UUID:
    """Take a payment of an open invoice as Peakflo does."""
    invoice = two.invoice(company_id)
    payment = {
        "company_id": company_id,
        "id": uuid.uuid4(),
        "customer_id": invoice["customer_id"],
        "payment_date": "2026-01-05",
        "amount": invoice["amount_due"],
        "currency": invoice["currency"],
        "settled_at": "2026-01-05T10:00:00Z",
    } | columns
    allocation = {
        "company_id": company_id,
        "payment_id": payment["id"],
        "position": 1,
        "target_type": "invoice",
        "target_id": invoice["id"],
        "amount": invoice["amount_due"],
    }
    with db.transaction():
        insert(db, "payment", payment)
        insert(db, "payment_allocation", allocation)
    return payment["id"]  # type: ignore[no-any-return]


def test_what_peakflo_takes_is_delivered_once_and_what_it_cancels_is_undone(two: Two, as_: Any):
    app = as_(APP, "acme")
    payment_id = take(app, two)
    cashier = two.cashier("acme")
    cashier.push()
    assert cashier.standing(payment_id)[0] == "agrees"
    [source] = app.execute("select source_id from peakflo.payment where id = %s", [payment_id]).fetchone()
    assert source is not None

    app.execute("update peakflo.payment set status = 'voided' where id = %s", [payment_id])
    cashier.push()
    assert cashier.states(payment_id) == {"payment": ["undone"]}


FORBIDDEN = {
    "say that a payment was delivered": "update peakflo.payment set source_id = '1' where id = %(own)s",
    "change the amount of a payment": "update peakflo.payment set amount = 1 where id = %(own)s",
    "make a payment one of QuickBooks'": "update peakflo.payment set origin = 'quickbooks' where id = %(own)s",
    "remove a payment": "delete from peakflo.payment where id = %(own)s",
    "remove an allocation": "delete from peakflo.payment_allocation where payment_id = %(own)s",
    "change an allocation": "update peakflo.payment_allocation set amount = 1 where payment_id = %(own)s",
    "apply more later": (
        "insert into peakflo.payment_allocation (company_id, payment_id, position, target_type, target_id, amount)"
        " select company_id, %(own)s, 2, 'invoice', id, 1 from peakflo.invoice limit 1"
    ),
    "apply a payment of QuickBooks'": (
        "insert into peakflo.payment_allocation (company_id, payment_id, position, target_type, target_id, amount)"
        " select company_id, %(theirs)s, 9, 'invoice', id, 1 from peakflo.invoice limit 1"
    ),
    "take one that is delivered already": (
        "insert into peakflo.payment (company_id, customer_id, payment_date, amount, currency, source_id)"
        " select company_id, id, '2026-01-05', 1, 'USD', '99' from peakflo.customer limit 1"
    ),
    "take one in QuickBooks' name": (
        "insert into peakflo.payment (company_id, customer_id, payment_date, amount, currency, origin)"
        " select company_id, id, '2026-01-05', 1, 'USD', 'quickbooks' from peakflo.customer limit 1"
    ),
    "take one of another company": (
        "insert into peakflo.payment (company_id, realm_id, customer_id, payment_date, amount, currency)"
        " values ('globex', %(realm)s, %(customer)s, '2026-01-05', 1, 'USD')"
    ),
    "write a verdict": (
        "insert into peakflo.reminder_verdict"
        " (company_id, reminder_run_id, run_id, invoice_id, verdict, reasons, expires_at, rules_version)"
        " values ('acme', 'x', 1, %(own)s, 'send', '[]', now(), 1)"
    ),
    "change a verdict": "update peakflo.reminder_verdict set verdict = 'send'",
    "mark an invoice paid": "update peakflo.invoice set amount_due = 0",
    "move a record": "select outbox.move(1, 'made', 1, 'because')",
    "read the records": "select * from outbox.record",
    "read the tokens": "select * from sync.connection",
    "read what QuickBooks said": "select * from staging.payment",
    "see other companies' names": "select * from sync.company_member",
    "let a trigger sleep": "alter table peakflo.payment disable trigger all",
    "act as the sync": "set role receivables_sync",
}


def test_peakflo_cannot_do_what_is_not_its_to_do(two: Two, as_: Any):
    app = as_(APP, "acme")
    keys = {
        "own": take(app, two),
        "theirs": two.payment_of_quickbooks("acme"),
        "realm": two.globex.realm_id,
        "customer": two.invoice("globex")["customer_id"],
    }
    for attempt, statement in FORBIDDEN.items():
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.CheckViolation)) as refused:
            app.execute(statement, keys)
        print(f"{attempt}: {str(refused.value).splitlines()[0]}")


def test_peakflo_cannot_cancel_what_is_quickbooks_own(two: Two, as_: Any):
    app = as_(APP, "acme")
    cancel = "update peakflo.payment set status = 'voided' where id = %s"
    assert app.execute(cancel, [two.payment_of_quickbooks("acme")]).rowcount == 0
    assert app.execute(cancel, [take(app, two)]).rowcount == 1


def test_peakflo_is_told_nothing_of_another_companys_customers(two: Two, as_: Any):
    customer = two.invoice("globex")["customer_id"]
    with pytest.raises(psycopg.errors.CheckViolation, match=f"has no customer {customer}"):
        take(as_(APP, "acme"), two, customer_id=customer)


UNCHANGEABLE = {
    "a verdict": "update peakflo.reminder_verdict set verdict = 'send'",
    "that there was a verdict": "delete from peakflo.reminder_verdict",
    "a young verdict by pruning": "select peakflo.prune_verdicts('1 day', 10)",
    "a move": "update outbox.move set why = 'another'",
    "that there was a move": "delete from outbox.move",
    "young moves by pruning": "select outbox.prune_moves('1 day', 10)",
    "a record without a move": "update outbox.record set state = 'made'",
    "the moves that there are": "insert into outbox.allowed_move values ('undone', 'sent', 'again')",
    "a decision": "update outbox.decision set decided_by = 'nobody'",
    "an act": "update sync.audit set actor = 'nobody'",
    "that there was an act": "delete from sync.audit",
    "the end of a chain": "update sync.audit_head set number = 0",
    "who sees what": "insert into sync.company_member values ('user', 'me', '*')",
    "the schema": "alter table sync.audit disable trigger all",
}


@pytest.mark.parametrize("who", [SYNC, PAGES])
def test_neither_the_sync_nor_the_pages_change_what_must_stay(two: Two, as_: Any, who: str):
    for what, statement in UNCHANGEABLE.items():
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.CheckViolation)) as refused:
            as_(who, "*").execute(statement)
        print(f"{what}: {str(refused.value).splitlines()[0]}")


def test_the_webhook_reads_no_token(db: psycopg.Connection, as_: Any):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_(WEBHOOK).execute("select access_token from sync.connection")
