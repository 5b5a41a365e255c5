"""What people see of the proofs: the last ones, one by customer and difference, and the same as CSV."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from include.receivables.proof.differences import CLASSES
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg import Connection

    from include.receivables.company.companies import Company

Json = dict[str, Any]

MOST_PROOFS = 31
MOST_ROWS = 500
# What a spreadsheet takes for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
NUMBER = re.compile(r"-?\d+(\.\d+)?")
DIFFERENCE_COLUMNS = (
    "class",
    "customer_id",
    "customer_name",
    "entity",
    "qbo_id",
    "name",
    "field",
    "quickbooks",
    "peakflo",
    "amount",
    "is_explained",
    "is_repaired",
    "first_found_at",
    "sentence",
    "remedy",
    "owner",
)
CUSTOMER_COLUMNS = ("customer_id", "name", "quickbooks", "peakflo", "difference")
# Where QuickBooks shows a record; of the others it has no address that lasts.
PAGES = {
    "invoice": "invoice?txnId=",
    "payment": "recvpayment?txnId=",
    "credit_memo": "creditmemo?txnId=",
    "customer": "customerdetail?nameId=",
    "Journal Entry": "journal?txnId=",
    "Deposit": "deposit?txnId=",
    "Check": "check?txnId=",
    "Expense": "expense?txnId=",
}


def list_proofs(db: Connection, company: Company, *, most: int = MOST_PROOFS) -> list[Json]:
    """List a company's proofs, the newest first."""
    return _rows(db, "proof/list_proofs", _keys(company) | {"proof_id": None, "most": most})


def find_proof(db: Connection, company: Company, proof_id: int) -> Json | None:
    """Read a proof of a company's."""
    rows = _rows(db, "proof/list_proofs", _keys(company) | {"proof_id": proof_id, "most": 1})
    return rows[0] if rows else None


def list_differences(
    db: Connection,
    proof_id: int,
    *,
    class_name: str = "",
    customer_id: str = "",
    most: int | None = MOST_ROWS,
) -> list[Json]:
    """
    List in which respects both sides differ, those without a cause first.

    :param most: how many; all if None.
    """
    keys = {
        "proof_id": proof_id,
        "class": class_name or None,
        "customer_id": customer_id or None,
        "most": most,
    }
    return _rows(db, "proof/list_differences", keys)


def count_classes(db: Connection, proof_id: int) -> list[Json]:
    """Count the differences by class, under the words that people know."""
    rows = _rows(db, "proof/count_classes", {"proof_id": proof_id})
    return [row | {"title": CLASSES[row["class"]].title} for row in rows]


def list_customers(
    db: Connection,
    proof_id: int,
    *,
    search: str = "",
    is_different: bool = False,
    most: int | None = MOST_ROWS,
) -> list[Json]:
    """
    List what each customer owes by either side, those that differ first.

    :param search: a part of a name, or an Id.
    :param is_different: leave out those that are equal.
    """
    wanted = search.strip()[:100]
    pattern = "".join(f"\\{sign}" if sign in "\\%_" else sign for sign in wanted)
    keys = {
        "proof_id": proof_id,
        "search": wanted,
        "pattern": f"%{pattern}%" if wanted else None,
        "is_different": is_different,
        "most": most,
    }
    return _rows(db, "proof/list_customers", keys)


def to_csv(rows: Iterable[Json], columns: Iterable[str]) -> str:
    """Write rows as CSV; what a spreadsheet would take for a formula begins with an apostrophe, amounts do not."""
    text = io.StringIO()
    writer = csv.writer(text)
    names = list(columns)
    writer.writerow(names)
    writer.writerows([_cell(row[name]) for name in names] for row in rows)
    return text.getvalue()


def address_of(difference: Json, company: Company, pages: str | None) -> str | None:
    """
    Return where QuickBooks shows what a difference is about, to whoever may see the company there.

    :param pages: the address of QuickBooks' own pages; None where there are none.
    """
    page = PAGES.get(difference["entity"])
    is_shown = pages and page and difference["qbo_id"].isdigit()
    return f"{pages}/{page}{difference['qbo_id']}&companyId={company.realm_id}" if is_shown else None


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) and not NUMBER.fullmatch(text) else text


def _keys(company: Company) -> Json:
    return {"company_id": company.company_id, "realm_id": company.realm_id}


def _rows(db: Connection, statement: str, keys: Json) -> list[Json]:
    with db.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(load(statement), keys).fetchall()
