"""Payments settle lines of journal entries, deposits and checks on receivables, beside invoices and credit memos."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.faults import Fault
from sandbox.links import Target
from sandbox.scribe import check_to, deposit_from, journal_of, payment_line

if TYPE_CHECKING:
    from sandbox.sandbox import Sandbox
    from sandbox.scribe import Scribe

THIRTY, FORTY, HUNDRED = Decimal(30), Decimal(40), Decimal(100)
ENTITIES = {"JournalEntry": "JournalEntry", "Deposit": "Deposit", "Check": "Purchase"}


@pytest.fixture
def ada(scribe: Scribe) -> str:
    return scribe.customer("Ada")


@pytest.fixture
def invoice(scribe: Scribe, ada: str) -> str:
    return scribe.invoice(ada, ("3", "1", "100"))


def other_money(scribe: Scribe, kind: str, customer: str, amount: Decimal) -> str:
    """Enter what a customer is owed, or as a check what it owes."""
    if kind == "JournalEntry":
        return journal_of(scribe, customer, -amount)
    return (deposit_from if kind == "Deposit" else check_to)(scribe, customer, amount)


def settled(scribe: Scribe, kind: str, customer: str, amount: Decimal) -> tuple[str, str]:
    """Enter other money and settle thirty of it, and return the Ids of both."""
    other = other_money(scribe, kind, customer, amount)
    if kind == "Check":
        against = ("CreditMemo", scribe.credit(customer, ("3", "1", "30")), THIRTY)
    else:
        against = ("Invoice", scribe.invoice(customer, ("3", "1", "30")), THIRTY)
    return other, scribe.pay(customer, "0", against, (kind, other, THIRTY))


def applied(scribe: Scribe, kind: str, txn_id: str) -> Decimal:
    line = scribe.read(ENTITIES[kind], txn_id)["Line"][0]["Id"]
    return scribe.books.links.applied(Target(ENTITIES[kind], txn_id, line))


def with_amount(scribe: Scribe, kind: str, txn_id: str, amount: int) -> list[dict[str, Any]]:
    return [{**line, "Amount": amount} for line in scribe.read(ENTITIES[kind], txn_id)["Line"]]


@pytest.mark.parametrize("kind", ["JournalEntry", "Deposit"])
def test_what_is_owed_to_a_customer_pays_an_invoice(
    scribe: Scribe, ada: str, invoice: str, kind: str
) -> None:
    other = other_money(scribe, kind, ada, HUNDRED)
    payment = scribe.pay(ada, "0", ("Invoice", invoice, THIRTY), (kind, other, THIRTY))
    assert scribe.balance(invoice) == 70
    assert scribe.read("Customer", ada)["Balance"] == 0
    shown = scribe.read("Payment", payment)
    assert (shown["TotalAmt"], shown["UnappliedAmt"]) == (0, 0)
    assert shown["Line"][1]["LinkedTxn"] == [{"TxnId": other, "TxnType": kind}]
    assert shown["Line"][1]["LineEx"]["any"][1]["value"] == {"Name": "txnOpenBalance", "Value": "100.00"}
    with pytest.raises(Fault, match="open balance"):
        scribe.pay(ada, "0", ("Invoice", invoice, Decimal(70)), (kind, other, Decimal(71)))
    scribe.pay(ada, "0", ("Invoice", invoice, Decimal(70)), (kind, other, Decimal(70)))
    assert (scribe.balance(invoice), applied(scribe, kind, other)) == (0, 100)


def test_a_check_uses_up_what_was_paid_too_much(scribe: Scribe, ada: str, invoice: str) -> None:
    payment = scribe.pay(ada, "130", ("Invoice", invoice, HUNDRED))
    check = check_to(scribe, ada, THIRTY)
    lines = [payment_line("Invoice", invoice, HUNDRED), payment_line("Check", check, THIRTY)]
    scribe.change("Payment", payment, Line=lines)
    assert scribe.read("Payment", payment)["UnappliedAmt"] == 0
    assert scribe.read("Customer", ada)["Balance"] == 0
    with pytest.raises(Fault, match="open balance"):
        scribe.pay(ada, "1", ("Check", check, Decimal(1)))


def test_a_deposit_is_paid_out_by_an_expense(scribe: Scribe, ada: str) -> None:
    deposit, expense = deposit_from(scribe, ada, FORTY), check_to(scribe, ada, THIRTY, PaymentType="Cash")
    scribe.pay(ada, "0", ("Expense", expense, THIRTY), ("Deposit", deposit, THIRTY))
    assert (applied(scribe, "Deposit", deposit), applied(scribe, "Check", expense)) == (30, 30)
    assert scribe.read("Customer", ada)["Balance"] == -10


@pytest.mark.parametrize("kind", ENTITIES)
@pytest.mark.parametrize("operation", ["void", "delete", "edit"])
def test_what_a_payment_settled_is_open_again_without_it(
    scribe: Scribe, ada: str, kind: str, operation: str
) -> None:
    other, payment = settled(scribe, kind, ada, FORTY)
    before = scribe.read("Customer", ada)["Balance"]
    if operation == "edit":
        lines = scribe.read("Payment", payment)["Line"]
        # LineEx is answered and cannot be sent back.
        scribe.change(
            "Payment", payment, Line=[{"Amount": 10, "LinkedTxn": line["LinkedTxn"]} for line in lines]
        )
    else:
        scribe.drop("Payment", payment, operation)
    assert applied(scribe, kind, other) == (10 if operation == "edit" else 0)
    assert scribe.read("Customer", ada)["Balance"] == before


@pytest.mark.parametrize("kind", ENTITIES)
def test_a_payment_goes_with_what_it_linked(scribe: Scribe, ada: str, kind: str) -> None:
    other, payment = settled(scribe, kind, ada, FORTY)
    scribe.drop(ENTITIES[kind], other)
    assert scribe.books.find("Payment", payment) is None
    assert scribe.read("Customer", ada)["Balance"] == (-30 if kind == "Check" else 30)


@pytest.mark.parametrize("kind", ENTITIES)
def test_a_line_that_shrinks_below_what_is_settled_is_unlinked(scribe: Scribe, ada: str, kind: str) -> None:
    other, payment = settled(scribe, kind, ada, FORTY)
    scribe.change(ENTITIES[kind], other, Line=with_amount(scribe, kind, other, 35))
    [shown] = [
        line for line in scribe.read("Payment", payment)["Line"] if line["LinkedTxn"][0]["TxnId"] == other
    ]
    assert shown["LineEx"]["any"][1]["value"]["Value"] == "35.00"
    scribe.change(ENTITIES[kind], other, Line=with_amount(scribe, kind, other, 29))
    assert applied(scribe, kind, other) == 0
    assert scribe.books.find("Payment", payment) is None
    assert scribe.read("Customer", ada)["Balance"] == (-1 if kind == "Check" else 1)


@pytest.mark.parametrize("kind", ENTITIES)
def test_a_line_that_is_another_customers_by_now_is_unlinked(scribe: Scribe, ada: str, kind: str) -> None:
    other, payment = settled(scribe, kind, ada, FORTY)
    bob = {"value": scribe.customer("Bob")}
    record = scribe.read(ENTITIES[kind], other)
    if kind == "Check":
        changed = {"EntityRef": {**bob, "type": "Customer"}}
    elif kind == "Deposit":
        record["Line"][0]["DepositLineDetail"]["Entity"] = {**bob, "type": "CUSTOMER"}
        changed = {"Line": record["Line"]}
    else:
        record["Line"][0]["JournalEntryLineDetail"]["Entity"]["EntityRef"] = bob
        changed = {"Line": record["Line"]}
    scribe.change(ENTITIES[kind], other, **changed)
    assert scribe.books.find("Payment", payment) is None
    balances = [scribe.read("Customer", each)["Balance"] for each in (ada, bob["value"])]
    assert balances == ([-30, 40] if kind == "Check" else [30, -40])


def test_a_journals_line_that_turned_into_the_opposite_is_unlinked(scribe: Scribe, ada: str) -> None:
    journal, payment = settled(scribe, "JournalEntry", ada, FORTY)
    lines = scribe.read("JournalEntry", journal)["Line"]
    for line, side in zip(lines, ("Debit", "Credit"), strict=True):
        line["JournalEntryLineDetail"]["PostingType"] = side
    scribe.change("JournalEntry", journal, Line=lines)
    assert scribe.books.find("Payment", payment) is None
    assert scribe.read("Customer", ada)["Balance"] == 70


def test_each_line_of_a_deposit_is_settled_by_itself(scribe: Scribe, ada: str, invoice: str) -> None:
    line = scribe.read("Deposit", deposit_from(scribe, ada, THIRTY))["Line"][0]
    del line["Id"]
    deposit = deposit_from(scribe, ada, THIRTY, Line=[line, {**line, "Amount": FORTY}])
    payment = scribe.pay(
        ada, "0", ("Invoice", invoice, Decimal(70)), ("Deposit", deposit, THIRTY), ("Deposit", deposit, FORTY)
    )
    # Of several lines one has to be named.
    links = [each["LinkedTxn"][0].get("TxnLineId") for each in scribe.read("Payment", payment)["Line"]]
    assert links == [None, "1", "2"]
    lines = scribe.read("Deposit", deposit)["Line"]
    scribe.change("Deposit", deposit, Line=[lines[0], {**lines[1], "Amount": 5}])
    assert [scribe.books.links.applied(Target("Deposit", deposit, each)) for each in ("1", "2")] == [30, 0]
    assert [each["Amount"] for each in scribe.read("Payment", payment)["Line"]] == [30, 30]
    assert (scribe.balance(invoice), scribe.read("Customer", ada)["Balance"]) == (70, 35)


def test_money_that_was_deposited_becomes_a_customers_and_pays_its_invoice(
    scribe: Scribe, ada: str, invoice: str
) -> None:
    income = scribe.books.index.named("Account", "Services")
    line = scribe.read("Deposit", deposit_from(scribe, ada, HUNDRED))["Line"][0]
    deposit = deposit_from(
        scribe,
        ada,
        HUNDRED,
        Line=[{"Amount": HUNDRED, "DepositLineDetail": {"AccountRef": {"value": income}}}],
    )
    with pytest.raises(Fault, match=r"^620 "):
        scribe.pay(ada, "0", ("Invoice", invoice, HUNDRED), ("Deposit", deposit, HUNDRED))
    scribe.change("Deposit", deposit, Line=[line])
    scribe.pay(ada, "0", ("Invoice", invoice, HUNDRED), ("Deposit", deposit, HUNDRED))
    assert scribe.balance(invoice) == 0


def test_what_cannot_be_linked_is_refused(scribe: Scribe, ada: str, invoice: str) -> None:
    deposit, check = deposit_from(scribe, scribe.customer("Bob"), HUNDRED), check_to(scribe, ada, HUNDRED)
    for kind, txn_id, code in (
        ("Deposit", deposit, "620"),
        ("Expense", check, "610"),
        ("Deposit", check, "610"),
        ("CreditCardCredit", check, "620"),
        ("Purchase", check, "2170"),
    ):
        with pytest.raises(Fault) as refused:
            scribe.pay(ada, "0", ("Invoice", invoice, HUNDRED), (kind, txn_id, HUNDRED))
        assert (kind, refused.value.code) == (kind, code)


@pytest.mark.parametrize("kind", ENTITIES)
@pytest.mark.parametrize("is_versioned", [False, True])
def test_a_payment_makes_a_version_of_what_it_settles_only_as_set(
    scribe: Scribe, state: Sandbox, ada: str, kind: str, *, is_versioned: bool
) -> None:
    state.settings.change({"journal_versions": is_versioned})
    other, _payment = settled(scribe, kind, ada, FORTY)
    assert scribe.read(ENTITIES[kind], other)["SyncToken"] == str(int(is_versioned))


def test_a_different_rate_of_a_deposit_becomes_exchange_gain_or_loss(scribe: Scribe) -> None:
    eve = scribe.customer("Eve", CurrencyRef={"value": "EUR"})
    invoice = scribe.invoice(eve, ("3", "1", "100"), ExchangeRate=Decimal("1.25"))
    deposit = deposit_from(scribe, eve, HUNDRED, ExchangeRate=Decimal("1.1"))
    scribe.pay(eve, "0", ("Invoice", invoice, HUNDRED), ("Deposit", deposit, HUNDRED))
    ledger, named = scribe.books.ledger, scribe.books.index.named
    assert ledger.home_balance[named("Account", "Exchange Gain or Loss") or ""] == 15
    assert ledger.home_balance[named("Account", "Accounts Receivable (A/R) - EUR") or ""] == 0
