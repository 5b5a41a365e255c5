"""Compares peakflo.* with what the sandbox's books really hold, record by record and field by field."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen
from zoneinfo import ZoneInfo

from psycopg import sql
from psycopg.rows import dict_row

from tests.support import expected as expected_rows
from tests.support.expected import peakflo_id

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    import psycopg

    from include.receivables.company.companies import Company
    from sandbox.control import SandboxControl

Json = dict[str, Any]
Rows = dict[tuple[str, ...], Json]

# Peakflo's table: QuickBooks' entity.
ENTITIES = {
    "account": "Account",
    "customer": "Customer",
    "invoice": "Invoice",
    "credit_note": "CreditMemo",
    "payment": "Payment",
    "tax_rate": "TaxRate",
    "tax_code": "TaxCode",
}
STAGED_AS = {"credit_note": "credit_memo"}
# What comes with an import and a refresh, not with each sync.
REFRESHED = ("tax_code", "tax_rate")
PARTS = {"invoice_line": "invoice", "payment_allocation": "payment"}
MERGED = (*ENTITIES, *PARTS)
NOTHING = Decimal(0)


def read_truth(sandbox: SandboxControl, realm_id: str) -> Json:
    """Return the books' records, with amounts as decimals."""
    with urlopen(f"{sandbox.base_url}/control/companies/{realm_id}/truth?records=1") as answer:
        truth: Json = json.loads(answer.read(), parse_float=Decimal, parse_int=Decimal)
    _name(truth, "Payment", "PaymentMethodRef", "PaymentMethod")
    _name(truth, "Customer", "SalesTermRef", "Term")
    return truth


def _name(truth: Json, entity: str, ref: str, target: str) -> None:
    """Write the names of what records refer to into their references."""
    names = {record["Id"]: record["Name"] for record in truth["records"][target]}
    for record in truth["records"][entity]:
        if ref in record:
            record[ref]["name"] = names[record[ref]["value"]]


def timestamp(epoch: float) -> str:
    """Write a time as QuickBooks does."""
    return datetime.fromtimestamp(epoch, ZoneInfo("America/Los_Angeles")).isoformat(timespec="seconds")


def differences(
    db: psycopg.Connection,
    sandbox: SandboxControl,
    company: Company,
    *,
    but: Container[str] = (),
    own: Container[str | None] = (),
) -> list[str]:
    """
    Return one sentence for each way in which Peakflo's tables differ from the books; none when all is well.

    :param but: tables that are not compared.
    :param own: Ids of payments that Peakflo wrote itself, which :mod:`tests.support.two_sides` compares.
    """
    truth = read_truth(sandbox, company.realm_id)
    payments = truth["records"]["Payment"]
    truth["records"]["Payment"] = [record for record in payments if record["Id"] not in own]
    found: list[str] = []
    for table in ENTITIES:
        if table in but:
            continue
        found += _compare_records(db, truth, company, table, own)
    for part, whole in PARTS.items():
        found += _compare_parts(db, truth, company, part, whole, own)
    found += _compare_sums(db, truth, company, but={"payment"} if own else ())
    if not own:
        found += contradictions(db, company)
    return found


def contradictions(db: psycopg.Connection, company: Company) -> list[str]:
    """Return where Peakflo's tables do not agree with each other: what is settled, and what settles it."""
    keys = {"company_id": company.company_id, "realm_id": company.realm_id}
    settled = """
        select '{table} ' || bill.source_id || ': ' || ({settled}) || ' is settled, by payments '
            || coalesce(sum(allocation.amount), 0)
        from peakflo.{table} as bill
        left join peakflo.payment_allocation as allocation
            on allocation.company_id = bill.company_id and allocation.target_id = bill.id
        where bill.company_id = %(company_id)s and bill.realm_id = %(realm_id)s and bill.deleted_at is null
        group by bill.source_id, {settled}
        having {settled} <> coalesce(sum(allocation.amount), 0)
    """
    statements = (
        settled.format(table="invoice", settled="bill.total_amount - bill.amount_due"),
        settled.format(table="credit_note", settled="bill.total_amount - bill.remaining_credit"),
    )
    return [row[0] for statement in statements for row in db.execute(statement, keys)]


def dump(
    db: psycopg.Connection, schema: str = "peakflo", tables: Iterable[str] = MERGED
) -> dict[str, list[str]]:
    """Return all rows of tables as text, in an order of their own."""
    return {
        table: sorted(row[0] for row in db.execute(_select(schema, table, "given::text")))
        for table in sorted(tables)
    }


def versions(db: psycopg.Connection) -> dict[str, list[Any]]:
    """Return where every row of the sync's tables lies and who wrote it: a write of the same values shows, too."""
    tables = [("peakflo", table) for table in (*MERGED, "company")]
    tables += [("staging", "record"), ("staging", "history"), ("staging", "unmerged"), ("mapping", "record")]
    columns = "tableoid, ctid::text, xmin::text, xmax::text"
    return {
        f"{schema}.{table}": db.execute(
            _select(schema, table, columns) + sql.SQL(" order by 1, 2")
        ).fetchall()
        for schema, table in tables
    }


def _select(schema: str, table: str, columns: str) -> sql.Composed:
    place = sql.Identifier(schema, table)
    return sql.SQL("select {} from {} as given").format(sql.SQL(columns), place)


def _compare_records(
    db: psycopg.Connection, truth: Json, company: Company, table: str, own: Container[str | None]
) -> list[str]:
    expect = expected_rows.ROWS[table]
    read_at = _read_times(db, company, STAGED_AS.get(table, table))
    rows = _rows(db, company, table)
    if table == "payment":
        rows = {key: row for key, row in rows.items() if key[0] not in own}
    records = {record["Id"]: record for record in truth["records"][ENTITIES[table]]}
    expected: Rows = {}
    for qbo_id, record in records.items():
        expected[(qbo_id,)] = {
            "id": peakflo_id(company.realm_id, table, qbo_id),
            "source_updated_at": _stamp(record, read_at.get(qbo_id)),
            "deleted_at": None,
            **expect(record, company.realm_id),
        }
    deleted = set(truth["deleted"][ENTITIES[table]])
    actual = {key: row for key, row in rows.items() if row["deleted_at"] is None or key[0] not in deleted}
    gone = {key: row for key, row in rows.items() if key not in actual}
    return _compare(table, expected, actual) + _check_deleted(db, company, table, gone)


def _check_deleted(db: psycopg.Connection, company: Company, table: str, gone: Rows) -> list[str]:
    status = {"invoice": "cancelled"}.get(table, "deleted")
    found = [
        f"{table} {key[0]} is deleted and yet {row['status']}"
        for key, row in gone.items()
        if row["status"] != status
    ]
    if table == "payment":
        ids = [row["id"] for row in gone.values()]
        statement = (
            "select payment_id from peakflo.payment_allocation where company_id = %s and payment_id = any(%s)"
        )
        left = db.execute(statement, [company.company_id, ids])
        found += [f"deleted payment {row[0]} still settles something" for row in left]
    return found


def _compare_parts(
    db: psycopg.Connection, truth: Json, company: Company, part: str, whole: str, own: Container[str | None]
) -> list[str]:
    expected: Rows = {}
    for record in truth["records"][ENTITIES[whole]]:
        for position, row in enumerate(expected_rows.PARTS[part](record, company.realm_id), 1):
            expected[(record["Id"], str(position))] = row
    statement = sql.SQL(
        "select part.*, whole.source_id from {} as part "
        "join {} as whole on whole.company_id = part.company_id and whole.id = part.{} "
        "where whole.company_id = %s and whole.realm_id = %s and whole.deleted_at is null"
    ).format(sql.Identifier("peakflo", part), sql.Identifier("peakflo", whole), sql.Identifier(f"{whole}_id"))
    with db.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(statement, [company.company_id, company.realm_id]).fetchall()
    actual = {(row["source_id"], str(row["position"])): row for row in rows}
    if whole == "payment":
        actual = {key: row for key, row in actual.items() if key[0] not in own}
    return _compare(part, expected, actual)


def _compare(table: str, expected: Rows, actual: Rows) -> list[str]:
    found = [f"{table} {key} is missing" for key in expected.keys() - actual.keys()]
    found += [f"{table} {key} should not be there" for key in actual.keys() - expected.keys()]
    for key in expected.keys() & actual.keys():
        for field, value in expected[key].items():
            if actual[key][field] != value:
                found.append(f"{table} {key} {field}: {actual[key][field]!r} instead of {value!r}")
    return sorted(found)


def _compare_sums(
    db: psycopg.Connection, truth: Json, company: Company, *, but: Container[str] = ()
) -> list[str]:
    """Compare counts and sums by currency, which the sandbox adds up on its own."""
    found = []
    columns = {
        "invoice": ("total_amount", "amount_due"),
        "payment": ("amount", "unapplied_amount"),
        "credit_note": ("total_amount", "remaining_credit"),
    }
    for table, (total, rest) in columns.items():
        if table in but:
            continue
        facts = truth["entities"][ENTITIES[table]]
        sums: dict[str, list[Any]] = defaultdict(lambda: [0, NOTHING, NOTHING])
        for row in _rows(db, company, table).values():
            if row["deleted_at"] is None:
                known = sums[row["currency"]]
                sums[row["currency"]] = [known[0] + 1, known[1] + row[total], known[2] + row[rest]]
        actual = {currency: tuple(values[1:]) for currency, values in sums.items()}
        expected = {
            currency: (Decimal(value), Decimal(facts["balance_by_currency"][currency]))
            for currency, value in facts["total_by_currency"].items()
        }
        count = sum(values[0] for values in sums.values())
        if (count, actual) != (facts["live"], expected):
            found.append(f"{table}: {count} with {actual} instead of {facts['live']} with {expected}")
    return found


def _rows(db: psycopg.Connection, company: Company, table: str) -> Rows:
    statement = sql.SQL("select * from {} where company_id = %s and realm_id = %s").format(
        sql.Identifier("peakflo", table)
    )
    with db.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(statement, [company.company_id, company.realm_id]).fetchall()
    # QuickBooks' own tax codes TAX and NON are in every company and in no books.
    return {(row["source_id"],): row for row in rows if (row["source_id"] or "").isdigit()}


def _read_times(db: psycopg.Connection, company: Company, entity: str) -> dict[str, datetime]:
    statement = "select qbo_id, read_at from staging.record where realm_id = %s and entity = %s"
    return dict(db.execute(statement, [company.realm_id, entity]).fetchall())


def _stamp(record: Json, read_at: datetime | None) -> datetime | None:
    """Return LastUpdatedTime, which is never believed to be later than the second of the reading."""
    updated = datetime.fromisoformat(record["MetaData"]["LastUpdatedTime"])
    return updated if read_at is None else min(updated, read_at.replace(microsecond=0))
