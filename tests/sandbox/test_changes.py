from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import changes
from sandbox.clock import record_time
from sandbox.faults import Fault
from sandbox.json_text import decode

if TYPE_CHECKING:
    from sandbox.books import Books
    from sandbox.sandbox import Sandbox
    from sandbox.scribe import Scribe


def ask(books: Books, entities: str, since: float) -> list[dict[str, Any]]:
    answer = decode(changes.run(books, entities, record_time(int(since))))
    parts: list[dict[str, Any]] = answer[0]["QueryResponse"]
    return parts


@pytest.fixture
def later(state: Sandbox) -> float:
    """A time after the company was opened."""
    state.clock.offset_seconds = 100
    return state.clock.now() - 50


def test_each_entity_has_its_part_and_an_unchanged_one_an_empty_part(scribe: Scribe, later: float) -> None:
    scribe.customer("Ada")
    customers, terms, accounts = ask(scribe.books, "Customer,Term,Account", later)
    assert [row["DisplayName"] for row in customers["Customer"]] == ["Ada"]
    assert (customers["startPosition"], customers["maxResults"]) == (1, 1)
    assert terms == accounts == {}


def test_a_payment_shows_up_with_everything_that_it_touched(
    scribe: Scribe, state: Sandbox, later: float
) -> None:
    customer = scribe.customer("Ada")
    invoice = scribe.invoice(customer, ("3", "1", "75"))
    state.clock.offset_seconds = 200
    since = state.clock.now() - 50
    scribe.pay(customer, "75", ("Invoice", invoice, Decimal(75)))
    found = ask(scribe.books, "Invoice,Payment,Customer,Account,CreditMemo", since)
    assert [len(next(iter(part.values()), [])) for part in found] == [1, 1, 1, 2, 0]
    assert found[0]["Invoice"][0]["Balance"] == 0
    assert found[0]["totalCount"] == 1
    assert later < since


def test_deletions_come_last_with_nothing_but_id_and_time(
    scribe: Scribe, state: Sandbox, later: float
) -> None:
    customer = scribe.customer("Ada")
    first, second, third = (scribe.pay(customer, "5") for _ in range(3))
    state.clock.offset_seconds += 10
    scribe.drop("Payment", first)
    state.clock.offset_seconds += 10
    scribe.change("Payment", second, PrivateNote="later")
    (part,) = ask(scribe.books, "Payment", later)
    assert [row["Id"] for row in part["Payment"]] == [third, second, first]
    assert part["Payment"][-1] == {
        "domain": "QBO",
        "status": "Deleted",
        "Id": first,
        "MetaData": {"LastUpdatedTime": record_time(scribe.books.tables["Payment"].deleted[first])},
    }


def test_a_void_is_a_change_not_a_deletion(scribe: Scribe, later: float) -> None:
    payment = scribe.pay(scribe.customer("Ada"), "5")
    scribe.drop("Payment", payment, "void")
    (part,) = ask(scribe.books, "Payment", later)
    assert "status" not in part["Payment"][0]
    assert part["Payment"][0]["PrivateNote"] == "Voided"


def test_a_change_in_the_second_of_the_cursor_is_included(scribe: Scribe, later: float) -> None:
    customer = scribe.books.get("Customer", scribe.customer("Ada"))
    assert ask(scribe.books, "Customer", customer.updated)[0]["maxResults"] == 1
    assert ask(scribe.books, "Customer", customer.updated + 1) == [{}]
    assert later < customer.updated


@pytest.mark.parametrize(
    ("scope", "keeps", "kept"),
    [
        ("response", "oldest", [["1", "2", "3"], []]),
        ("response", "newest", [["4"], ["5", "6"]]),
        ("entity", "oldest", [["1", "2", "3"], ["5", "6"]]),
        ("entity", "newest", [["2", "3", "4"], ["5", "6"]]),
    ],
)
def test_a_full_answer_is_cut_as_set(
    scribe: Scribe, state: Sandbox, later: float, scope: str, keeps: str, kept: list[list[str]]
) -> None:
    customer = scribe.customer("Ada")
    for _ in range(4):
        state.clock.offset_seconds += 1
        scribe.pay(customer, "5")
    for _ in range(2):
        state.clock.offset_seconds += 1
        scribe.credit(customer, ("3", "1", "75"))
    state.settings.change({"cdc_cap": 3, "cdc_cap_scope": scope, "cdc_keeps": keeps})
    found = ask(scribe.books, "Payment,CreditMemo", later)
    ids = [[row["Id"] for rows in part.values() if isinstance(rows, list) for row in rows] for part in found]
    assert ids == kept


def test_tombstones_may_be_the_first_to_be_cut(scribe: Scribe, state: Sandbox, later: float) -> None:
    customer = scribe.customer("Ada")
    first, second = scribe.pay(customer, "5"), scribe.pay(customer, "6")
    scribe.drop("Payment", first)
    state.settings.change({"cdc_cap": 1, "cdc_keeps": "live_first"})
    (part,) = ask(scribe.books, "Payment", later)
    assert [row["Id"] for row in part["Payment"]] == [second]


@pytest.mark.parametrize(
    ("entities", "code"),
    [("TaxCode", "500"), ("TaxRate", "500"), ("Nonsense", "4001"), ("", "2020")],
)
def test_what_is_not_captured_is_refused(scribe: Scribe, later: float, entities: str, code: str) -> None:
    with pytest.raises(Fault) as refused:
        ask(scribe.books, entities, later)
    assert refused.value.code == code


def test_it_looks_back_thirty_days(books: Books, state: Sandbox) -> None:
    day = 86_400
    assert ask(books, "Term", state.clock.now() - 30 * day + 60)
    with pytest.raises(Fault, match=r"500 .*which is older than fixed days is not supported"):
        ask(books, "Term", state.clock.now() - 30 * day - 60)
    with pytest.raises(Fault, match=r"4001 .*not a valid date time"):
        changes.run(books, "Term", "yesterday")
    with pytest.raises(Fault, match=r"^2020 "):
        changes.run(books, "Term", "")
