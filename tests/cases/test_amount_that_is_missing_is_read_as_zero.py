from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.asking import Asking, says
from tests.support.quick_start import let_an_hour_pass
from tests.support.staged import Staged, staged_company

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from tests.support.cashier import Cashier

Json = dict[str, Any]

OF_ADA = {"Id": "5", "CustomerRef": {"value": "1"}, "TxnDate": "2026-03-02"}
CREDIT: Json = {**OF_ADA, "TotalAmt": 200, "RemainingCredit": 80, "Balance": 80, "Line": []}
PAYMENT: Json = {**OF_ADA, "TotalAmt": 200, "UnappliedAmt": 80, "Line": []}
INVOICE: Json = {**OF_ADA, "TotalAmt": 200, "Balance": 80, "DueDate": "2026-04-01", "Line": []}
TABLES = {
    "CreditMemo": ("credit_memo", "credit_note", CREDIT, "total_amount, remaining_credit, status"),
    "Payment": ("payment", "payment", PAYMENT, "amount, unapplied_amount, status"),
    "Invoice": ("invoice", "invoice", INVOICE, "total_amount, amount_due, status"),
}
WITHOUT = {"absent": {}, "null": None, "empty": "", "blank": "  "}


@pytest.fixture
def books(db: psycopg.Connection) -> Iterator[Staged]:
    with staged_company(db) as books:
        yield books


def without(record: Json, how: str, *names: str) -> Json:
    kept = {name: value for name, value in record.items() if name not in names}
    return kept if how == "absent" else kept | dict.fromkeys(names, WITHOUT[how])


@pytest.mark.parametrize(
    ("entity", "names", "named"),
    [
        ("CreditMemo", ("RemainingCredit", "Balance"), "RemainingCredit or Balance"),
        ("CreditMemo", ("TotalAmt",), "TotalAmt"),
        ("Payment", ("UnappliedAmt",), "UnappliedAmt"),
        ("Payment", ("TotalAmt",), "TotalAmt"),
        ("Invoice", ("Balance",), "Balance"),
        ("Invoice", ("TotalAmt",), "TotalAmt"),
    ],
)
def test_a_record_without_an_amount_is_a_problem_and_leaves_what_is_known(
    books: Staged, entity: str, names: tuple[str, ...], named: str
):
    staged_as, table, whole, columns = TABLES[entity]
    good = [whole | {"Id": f"{how}-{state}"} for how in WITHOUT for state in ("new", "known")]
    bad = [without(each, each["Id"].partition("-")[0], *names) for each in good]
    books.merge(entity, *(each for each in good if each["Id"].endswith("-known")))
    select = f"select source_id, {columns} from peakflo.{table} order by 1"
    known = books.rows(select)
    assert len(known) == len(WITHOUT)
    books.merge(entity, *bad, whole)
    assert books.problems() == {
        (
            staged_as,
            each["Id"],
        ): f"QuickBooks' {staged_as} {each['Id']} does not fit Peakflo's tables: it has no {named}."
        for each in bad
    }
    assert [row for row in books.rows(select) if row[0] != whole["Id"]] == known
    books.merge(entity, *good)
    assert books.rows("select 1 from staging.unmerged") == []
    assert {row[1:] for row in books.rows(select)} == {known[0][1:]}


def test_a_payment_with_a_line_without_an_amount_is_a_problem(books: Staged):
    books.merge("Invoice", INVOICE)
    line = {"LinkedTxn": [{"TxnId": "5", "TxnType": "Invoice"}]}
    for number, odd in enumerate(({}, {"Amount": None}, {"Amount": ""})):
        books.merge("Payment", PAYMENT | {"Id": str(number), "Line": [line | {"Amount": 20}]})
        books.merge("Payment", PAYMENT | {"Id": str(number), "Line": [line | odd]})
    assert {qbo_id for _, qbo_id in books.problems()} == {"0", "1", "2"}
    assert all(message.endswith("it has no Amount in a line.") for message in books.problems().values())
    assert books.rows("select amount from peakflo.payment_allocation") == [(20,)] * 3


def test_what_is_no_amount_is_a_problem(books: Staged):
    odd = ["abc", "NaN", "Infinity", "1,000.00", {}, [5], True]
    for entity, name in (
        ("CreditMemo", "RemainingCredit"),
        ("Payment", "UnappliedAmt"),
        ("Invoice", "Balance"),
    ):
        whole = TABLES[entity][2]
        books.merge(entity, *(whole | {"Id": str(number), name: each} for number, each in enumerate(odd)))
    assert len(books.problems()) == 3 * len(odd)
    assert all(" is no amount: " in message for message in books.problems().values())


def test_what_is_left_of_a_credit_memo_is_said_in_one_of_two_places(books: Staged):
    cases: list[tuple[Json, Any]] = [
        ({"RemainingCredit": 80}, 80),
        ({"Balance": 80}, 80),
        ({"Balance": -80}, 80),
        ({"RemainingCredit": 80, "Balance": -80}, 80),
        ({"RemainingCredit": None, "Balance": 0}, 0),
        ({"RemainingCredit": "", "Balance": 30.5}, Decimal("30.5")),
        ({"RemainingCredit": 0, "Balance": 80}, 0),
    ]
    bare = without(CREDIT, "absent", "RemainingCredit", "Balance")
    books.merge(
        "CreditMemo", *(bare | given | {"Id": str(number)} for number, (given, _) in enumerate(cases))
    )
    assert books.problems() == {}
    found = books.rows("select remaining_credit, status from peakflo.credit_note order by source_id")
    assert found == [(remaining, "open" if remaining else "applied") for _, remaining in cases]


@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize(
    ("entity", "names"),
    [
        ("CreditMemo", ("RemainingCredit", "Balance")),
        ("Payment", ("UnappliedAmt",)),
        ("Invoice", ("Balance",)),
    ],
)
def test_a_verdict_on_what_an_amount_is_missing_for_is_unknown(
    cashier: Cashier, entity: str, names: tuple[str, ...], is_known: bool
):
    books, bench = cashier.books, cashier.bench
    ada, grace = books.customer("Ada Missing"), books.customer("Grace")
    invoice, of_grace = books.invoice(ada, "100"), books.invoice(grace, "100")
    bench.sync(cashier.company)
    made = {"CreditMemo": books.credit, "Payment": books.pay, "Invoice": books.invoice}[entity](ada, "1")
    if is_known:
        bench.sync(cashier.company)
        books.change(entity, made, PrivateNote="a newer version")
    bench.sandbox.serve(cashier.company.realm_id, entity, made, {}, drop=list(names))
    ask = Asking(bench, cashier.company)
    asked = made if entity == "Invoice" else invoice
    verdicts = {verdict.invoice_id: says(verdict)[0] for verdict in ask.judgement(asked, of_grace).verdicts}
    assert verdicts == {ask.id("invoice", asked): "unknown", ask.id("invoice", of_grace): "send"}


def test_one_that_was_missing_for_a_while_is_read_again(cashier: Cashier):
    """QuickBooks need not say that it is mended: the record is as it was, and changes tell nothing of it."""
    bench, realm_id = cashier.bench, cashier.company.realm_id
    ask = Asking(bench, cashier.company)
    customer = cashier.books.customer("Ada")
    invoice, payment = cashier.books.invoice(customer, "100"), cashier.books.pay(customer, "100")
    bench.sandbox.serve(realm_id, "Payment", payment, drop=["UnappliedAmt"])
    bench.sync(cashier.company)
    bench.sandbox.advance_clock(3000)
    bench.sync(cashier.company)
    bench.sandbox.serve_truth(realm_id)
    bench.sync(cashier.company)
    assert ask.about(invoice) == ("unknown", ["not_merged"])

    let_an_hour_pass(bench.db)
    bench.sync(cashier.company)

    assert ask.about(invoice) == ("hold", ["covered_by_payment"])
    assert bench.db.execute("select from sync.problem where state <> 'resolved'").fetchone() is None
