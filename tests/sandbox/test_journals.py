from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.faults import Fault
from sandbox.scribe import journal_line

if TYPE_CHECKING:
    from sandbox.scribe import Scribe

TEN = Decimal(10)


def account(scribe: Scribe, name: str) -> str:
    found = scribe.books.index.named("Account", name)
    assert found is not None
    return found


@pytest.fixture
def lines(scribe: Scribe) -> list[dict[str, Any]]:
    return [
        journal_line("Debit", account(scribe, "Bank Charges"), TEN),
        journal_line("Credit", account(scribe, "Checking"), TEN),
    ]


def test_a_journal_entry_has_quickbooks_shape(scribe: Scribe, lines: list[dict[str, Any]]) -> None:
    entry = scribe.read("JournalEntry", scribe.write("JournalEntry", {"Line": lines}))
    assert entry["Adjustment"] is False
    assert entry["TxnTaxDetail"] == {}
    assert (entry["TotalAmt"], entry["HomeTotalAmt"]) == (0, 0)
    assert "DocNumber" not in entry
    assert "LinkedTxn" not in entry
    assert [line["Id"] for line in entry["Line"]] == ["0", "1"]
    assert "LineNum" not in entry["Line"][0]
    assert entry["Line"][1]["JournalEntryLineDetail"]["AccountRef"]["name"] == "Checking"
    assert scribe.read("Account", account(scribe, "Checking"))["CurrentBalance"] == -10


def test_a_deleted_entry_leaves_no_trace_in_the_accounts(scribe: Scribe, lines: list[dict[str, Any]]) -> None:
    entry = scribe.write("JournalEntry", {"Line": lines})
    scribe.drop("JournalEntry", entry)
    assert scribe.read("Account", account(scribe, "Checking"))["CurrentBalance"] == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: lines[:1], "Fill out at least two detail lines to continue."),
        (lambda lines: [lines[0], {**lines[1], "Amount": 9}], "Please balance debits and credits."),
        (lambda lines: [lines[0], {**lines[1], "Class": "x"}], "a property specified is unsupported"),
    ],
)
def test_a_wrong_entry_is_refused(
    scribe: Scribe, lines: list[dict[str, Any]], change: Any, words: str
) -> None:
    with pytest.raises(Fault, match=words):
        scribe.write("JournalEntry", {"Line": change(lines)})


def test_missing_accounts_are_named_once_per_line(scribe: Scribe, lines: list[dict[str, Any]]) -> None:
    for line in lines:
        del line["JournalEntryLineDetail"]["AccountRef"]
    with pytest.raises(Fault) as refused:
        scribe.write("JournalEntry", {"Line": lines})
    assert [error["element"] for error in refused.value.errors] == ["AccountRef", "AccountRef"]


def test_receivables_need_a_customer_and_payables_a_vendor(
    scribe: Scribe, lines: list[dict[str, Any]]
) -> None:
    for name, words in (
        ("Accounts Receivable (A/R)", "you must choose a customer in the Name field"),
        ("Accounts Payable (A/P)", "you must choose a vendor in the Name field"),
    ):
        with pytest.raises(Fault, match=words):
            scribe.write(
                "JournalEntry", {"Line": [lines[0], journal_line("Credit", account(scribe, name), TEN)]}
            )


def test_an_entry_may_move_a_debt_from_one_customer_to_another(scribe: Scribe) -> None:
    receivable = account(scribe, "Accounts Receivable (A/R)")
    ada, bob = scribe.customer("Ada"), scribe.customer("Bob")
    scribe.write(
        "JournalEntry",
        {"Line": [journal_line("Debit", receivable, TEN, ada), journal_line("Credit", receivable, TEN, bob)]},
    )
    assert [scribe.read("Customer", each)["Balance"] for each in (ada, bob)] == [10, -10]


def test_shrinking_a_line_below_its_payment_unlinks_the_payment(scribe: Scribe) -> None:
    receivable, income = account(scribe, "Accounts Receivable (A/R)"), account(scribe, "Services")
    ada = scribe.customer("Ada")
    entry = scribe.write(
        "JournalEntry",
        {"Line": [journal_line("Debit", receivable, TEN, ada), journal_line("Credit", income, TEN)]},
    )
    payment = scribe.pay(ada, "10", ("JournalEntry", entry, TEN))
    four = Decimal(4)
    scribe.change(
        "JournalEntry",
        entry,
        Line=[journal_line("Debit", receivable, four, ada), journal_line("Credit", income, four)],
    )
    assert scribe.read("Payment", payment)["UnappliedAmt"] == 10
    assert scribe.read("Customer", ada)["Balance"] == -6


def test_numbers_may_repeat_unless_the_company_is_warned(scribe: Scribe, lines: list[dict[str, Any]]) -> None:
    scribe.write("JournalEntry", {"Line": lines, "DocNumber": "J1"})
    scribe.write("JournalEntry", {"Line": lines, "DocNumber": "J1"})
    warned = [{"Name": "WarnDuplicateJournalNumber", "Value": "true"}]
    scribe.change("Preferences", "1", OtherPrefs={"NameValue": warned})
    with pytest.raises(Fault, match="TxnType=Journal Entry"):
        scribe.write("JournalEntry", {"Line": lines, "DocNumber": "J1"})
