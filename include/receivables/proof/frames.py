"""The two sides as tables of pandas, one row a record, so that they are compared column by column."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd
from psycopg.rows import dict_row

from include.receivables.proof.differences import CENT, NOTHING
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from psycopg import Connection

    from include.receivables.company.companies import Company

Key = tuple[str, str]
Row = dict[str, Any]

KEY = ["entity", "qbo_id"]
# In which respects two records are compared.
COMPARED = (
    "owner_id",
    "status",
    "name",
    "currency",
    "rate",
    "total",
    "open",
    "issue_date",
    "due_date",
    "links",
)
VERSION = ("content_hash", "sync_token", "updated_at")
SIDES = ("staged", "peakflo")
# With which sign a document adds to what its customer owes.
SIGNS = {"invoice": Decimal(1), "credit_memo": Decimal(-1), "payment": Decimal(-1)}


def frame(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Return rows as a table by entity and Id; amounts stay decimals, and what is not there is None."""
    return pd.DataFrame(list(rows), columns=[*KEY, *columns], dtype=object).set_index(KEY, drop=False)


def read_known(db: Connection, company: Company) -> pd.DataFrame:
    """Read what is staged of a company and what Peakflo has of it, side by side."""
    keys = {"company_id": company.company_id, "realm_id": company.realm_id}
    with db.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(load("proof/list_known"), keys).fetchall()
    facts = [f"{name}_{fact}" for name in SIDES for fact in COMPARED]
    return frame(rows, ("created_at", *VERSION, "is_own", "is_waiting", "problem", *facts))


def side(known: pd.DataFrame, name: str) -> pd.DataFrame:
    """
    Return those records that one side has, under the names of the facts; what is deleted says nothing else.

    :param name: ``staged`` or ``peakflo``.
    """
    theirs = known[known[f"{name}_status"].notna()]
    facts = theirs[[f"{name}_{fact}" for fact in COMPARED]].set_axis(list(COMPARED), axis="columns")
    return facts.where(facts["status"].ne("deleted"), None).assign(status=facts["status"])


def unlike(ours: pd.DataFrame, theirs: pd.DataFrame) -> dict[Key, list[str]]:
    """Return the records that both have and that differ, each with the facts that do."""
    common = ours.index.intersection(theirs.index)
    left, right = (
        part.loc[common, list(COMPARED)].mask(lambda each: each.isna(), "") for part in (ours, theirs)
    )
    differs = left.ne(right)
    some = differs[differs.any(axis="columns")]
    return {
        key: [fact for fact in COMPARED if row[fact]]
        for key, row in zip(some.index.to_list(), some.to_dict("records"), strict=True)
    }


def rows_of(table: pd.DataFrame) -> dict[Key, Row]:
    """Return a table's rows by entity and Id."""
    rows: list[Any] = table.to_dict("records")
    return dict(zip(table.index.to_list(), rows, strict=True))


def worth(key: Key, facts: Row) -> Decimal:
    """Return what a record adds to what its customer owes, in the home currency."""
    if key[0] not in SIGNS or facts["status"] != "active" or facts["open"] is None:
        return NOTHING
    amount: Decimal = SIGNS[key[0]] * facts["open"] * (facts["rate"] or Decimal(1))
    return amount.quantize(CENT)


def owed(known: pd.DataFrame) -> pd.DataFrame:
    """
    Return what each document adds to what its customer owes, in the home currency.

    Payments that Peakflo took itself count as QuickBooks has them: how far they are there is another question.

    :return: by entity and Id: ``customer_id`` and ``amount``.
    """
    documents = known[known["entity"].isin(list(SIGNS))]
    is_own = documents["is_own"].astype(bool)
    facts = pd.concat([side(documents[is_own], "staged"), side(documents[~is_own], "peakflo")])
    amounts = [worth(key, row) for key, row in rows_of(facts).items()]
    return pd.DataFrame(
        {"customer_id": facts["owner_id"], "amount": amounts}, index=facts.index, dtype=object
    )
