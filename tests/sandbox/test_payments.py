from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.faults import Fault
from sandbox.scribe import journal_line, payment_line

if TYPE_CHECKING:
    from sandbox.sandbox import Sandbox
    from sandbox.scribe import Scribe


@pytest.fixture
def customer(scribe: Scribe) -> str:
    return scribe.customer("Ada")


@pytest.fixture
def invoice(scribe: Scribe, customer: str) -> str:
    return scribe.invoice(customer, ("1", "1", "100"))


def balance(scribe: Scribe, invoice: str) -> Decimal:
    return scribe.balance(invoice)


def funds(scribe: Scribe) -> dict[str, Any]:
    return next(
        record.fields()
        for record in scribe.books.all("Account")
        if record.fields()["AccountSubType"] == "UndepositedFunds"
    )


def test_a_payment_closes_the_invoice_and_touches_everything_in_the_same_second(
    scribe: Scribe, state: Sandbox, customer: str, invoice: str
) -> None:
    before = scribe.read("Customer", customer), funds(scribe)
    state.clock.offset_seconds = 100
    payment = scribe.read("Payment", scribe.pay(customer, "100", ("Invoice", invoice, Decimal(100))))
    paid = scribe.read("Invoice", invoice)
    assert paid["Balance"] == 0
    assert paid["SyncToken"] == "1"
    assert paid["LinkedTxn"] == [{"TxnId": payment["Id"], "TxnType": "Payment"}]
    after = scribe.read("Customer", customer), funds(scribe)
    times = {each["MetaData"]["LastUpdatedTime"] for each in (payment, paid, *after)}
    assert len(times) == 1
    assert [each["SyncToken"] for each in after] == [each["SyncToken"] for each in before] == ["0", "0"]
    assert after[0]["Balance"] == 0
    assert after[1]["CurrentBalance"] == 100


def test_the_line_tells_what_was_open_without_this_payment(
    scribe: Scribe, customer: str, invoice: str
) -> None:
    first = scribe.pay(customer, "30", ("Invoice", invoice, Decimal(30)))
    version = scribe.read("Payment", first)
    second = scribe.pay(customer, "50", ("Invoice", invoice, Decimal(50)))
    assert open_balance(version) == "100.00"
    assert open_balance(scribe.read("Payment", second)) == "70.00"
    recalculated = scribe.read("Payment", first)
    assert open_balance(recalculated) == "50.00"
    assert recalculated["SyncToken"] == "0"
    assert recalculated["MetaData"] == version["MetaData"]


def open_balance(payment: dict[str, Any]) -> str:
    values = {each["value"]["Name"]: each["value"]["Value"] for each in payment["Line"][0]["LineEx"]["any"]}
    return str(values["txnOpenBalance"])


def test_what_is_over_stays_unapplied(scribe: Scribe, customer: str, invoice: str) -> None:
    payment = scribe.read("Payment", scribe.pay(customer, "130", ("Invoice", invoice, Decimal(100))))
    assert payment["UnappliedAmt"] == 30
    assert scribe.read("Customer", customer)["Balance"] == -30


def test_a_sparse_update_with_new_lines_drops_the_old_ones(
    scribe: Scribe, customer: str, invoice: str
) -> None:
    other = scribe.invoice(customer, ("1", "1", "40"))
    payment = scribe.pay(customer, "100", ("Invoice", invoice, Decimal(100)))
    scribe.change("Payment", payment, Line=[payment_line("Invoice", other, Decimal(40))])
    assert balance(scribe, invoice) == 100
    assert balance(scribe, other) == 0
    assert scribe.read("Payment", payment)["UnappliedAmt"] == 60


def test_a_sparse_update_without_lines_keeps_them(scribe: Scribe, customer: str, invoice: str) -> None:
    payment = scribe.pay(customer, "100", ("Invoice", invoice, Decimal(100)))
    scribe.change("Payment", payment, PrivateNote="noted")
    assert balance(scribe, invoice) == 0
    assert scribe.read("Invoice", invoice)["SyncToken"] == "1"


def test_a_full_update_without_lines_takes_the_payment_off(
    scribe: Scribe, customer: str, invoice: str
) -> None:
    payment = scribe.pay(customer, "100", ("Invoice", invoice, Decimal(100)), PrivateNote="old")
    body = {"Id": payment, "SyncToken": "0", "CustomerRef": {"value": customer}, "TotalAmt": 100}
    scribe.write("Payment", body)
    updated = scribe.read("Payment", payment)
    assert updated["UnappliedAmt"] == 100
    assert "PrivateNote" not in updated
    assert balance(scribe, invoice) == 100


def test_a_void_keeps_the_record_and_reopens_the_invoice(scribe: Scribe, customer: str, invoice: str) -> None:
    payment = scribe.pay(customer, "100", ("Invoice", invoice, Decimal(100)), PrivateNote="wire")
    scribe.drop("Payment", payment, "void")
    voided = scribe.read("Payment", payment)
    assert (voided["TotalAmt"], voided["UnappliedAmt"], voided["Line"]) == (0, 0, [])
    assert voided["PrivateNote"] == "Voided - wire"
    assert voided["SyncToken"] == "1"
    reopened = scribe.read("Invoice", invoice)
    assert (reopened["Balance"], reopened["LinkedTxn"], reopened["SyncToken"]) == (100, [], "2")


def test_a_deletion_reopens_the_invoice(scribe: Scribe, customer: str, invoice: str) -> None:
    payment = scribe.pay(customer, "100", ("Invoice", invoice, Decimal(100)))
    scribe.drop("Payment", payment)
    assert scribe.books.find("Payment", payment) is None
    assert balance(scribe, invoice) == 100
    assert funds(scribe)["CurrentBalance"] == 0


def test_a_credit_memo_and_an_invoice_are_linked_by_a_payment_of_zero(
    scribe: Scribe, customer: str, invoice: str
) -> None:
    credit = scribe.credit(customer, ("1", "1", "30"))
    payment = scribe.pay(
        customer, "0", ("Invoice", invoice, Decimal(30)), ("CreditMemo", credit, Decimal(30))
    )
    assert balance(scribe, invoice) == 70
    memo = scribe.read("CreditMemo", credit)
    assert (memo["RemainingCredit"], memo["Balance"], memo["SyncToken"]) == (0, 0, "1")
    assert scribe.read("Payment", payment)["UnappliedAmt"] == 0


def test_one_line_may_link_the_invoice_and_the_credit_memo(
    scribe: Scribe, customer: str, invoice: str
) -> None:
    credit = scribe.credit(customer, ("1", "1", "30"))
    links = [{"TxnId": invoice, "TxnType": "Invoice"}, {"TxnId": credit, "TxnType": "CreditMemo"}]
    body = {"CustomerRef": {"value": customer}, "TotalAmt": 0, "Line": [{"Amount": 30, "LinkedTxn": links}]}
    scribe.write("Payment", body)
    assert balance(scribe, invoice) == 70
    assert scribe.read("CreditMemo", credit)["RemainingCredit"] == 0


def test_credits_reduce_what_must_be_paid(scribe: Scribe, customer: str, invoice: str) -> None:
    credit = scribe.credit(customer, ("1", "1", "30"))
    payment = scribe.pay(
        customer, "70", ("Invoice", invoice, Decimal(100)), ("CreditMemo", credit, Decimal(30))
    )
    assert balance(scribe, invoice) == 0
    assert scribe.read("Payment", payment)["UnappliedAmt"] == 0


def test_a_parent_pays_for_its_sub_customer(scribe: Scribe, customer: str) -> None:
    child = scribe.customer("Job", ParentRef={"value": customer})
    invoice = scribe.invoice(child, ("1", "1", "80"))
    scribe.pay(customer, "80", ("Invoice", invoice, Decimal(80)))
    assert balance(scribe, invoice) == 0
    assert scribe.read("Customer", child)["Balance"] == 0
    assert scribe.read("Customer", customer)["BalanceWithJobs"] == 0


def test_another_customers_invoice_cannot_be_linked(scribe: Scribe, invoice: str) -> None:
    stranger = scribe.customer("Stranger")
    with pytest.raises(Fault, match=r"^620 ") as refused:
        scribe.pay(stranger, "100", ("Invoice", invoice, Decimal(100)))
    assert refused.value.errors[0]["Message"] == "TxnID Cannot Be Linked"


def test_a_transaction_that_is_gone_is_not_found(scribe: Scribe, customer: str) -> None:
    with pytest.raises(Fault, match=r"^610 "):
        scribe.pay(customer, "100", ("Invoice", "999", Decimal(100)))


def test_lines_above_the_payment_are_refused(scribe: Scribe, customer: str, invoice: str) -> None:
    with pytest.raises(Fault, match="Amount applied is greater than payment or refund amount"):
        scribe.pay(customer, "10", ("Invoice", invoice, Decimal(20)))


def test_more_than_the_open_balance_is_refused_or_capped_as_set(
    scribe: Scribe, state: Sandbox, customer: str, invoice: str
) -> None:
    with pytest.raises(Fault, match=r"6000 .*open balance"):
        scribe.pay(customer, "150", ("Invoice", invoice, Decimal(150)))
    state.settings.change({"over_application": "cap"})
    payment = scribe.read("Payment", scribe.pay(customer, "150", ("Invoice", invoice, Decimal(150))))
    assert payment["Line"][0]["Amount"] == 100
    assert payment["UnappliedAmt"] == 50


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"TotalAmt": 10}, "2020"),
        ({"CustomerRef": {"value": "1"}}, "2020"),
        ({"CustomerRef": {"value": "999"}, "TotalAmt": 10}, "2500"),
        ({"CustomerRef": {"value": "1"}, "TotalAmt": 0}, "6000"),
        ({"CustomerRef": {"value": "1"}, "TotalAmt": -1}, "6000"),
        ({"CustomerRef": {"value": "1"}, "TotalAmt": "much"}, "2010"),
        ({"CustomerRef": {"value": "1"}, "TotalAmt": 1, "PaymentRefNum": "x" * 22}, "2050"),
        ({"CustomerRef": {"value": "1"}, "TotalAmt": 1, "PrivateNote": "x" * 4001}, "2050"),
        ({"CustomerRef": {"value": "1"}, "TotalAmt": 1, "PaymentRefNo": "1"}, "2010"),
        ({"CustomerRef": {"value": "1"}, "TotalAmt": 1, "PaymentMethodRef": {"value": "99"}}, "2500"),
        ({"CustomerRef": {"value": "1"}, "TotalAmt": 1, "CurrencyRef": {"value": "EUR"}}, "6000"),
        ({"CustomerRef": {"value": "1"}, "TotalAmt": 1, "Line": [{"Amount": 1}]}, "2020"),
    ],
)
def test_a_wrong_payment_is_refused_and_changes_nothing(
    scribe: Scribe, customer: str, body: dict[str, Any], code: str
) -> None:
    assert customer == "1"
    with pytest.raises(Fault) as refused:
        scribe.write("Payment", body)
    assert refused.value.code == code
    assert not list(scribe.books.all("Payment"))


def test_an_income_account_takes_no_deposit(scribe: Scribe, customer: str) -> None:
    income = scribe.books.index.named("Account", "Services")
    with pytest.raises(Fault, match="You need to select a different type of account for this transaction"):
        scribe.pay(customer, "10", DepositToAccountRef={"value": income})


def test_an_amount_may_come_as_a_text(scribe: Scribe, customer: str) -> None:
    payment = scribe.write("Payment", {"CustomerRef": {"value": customer}, "TotalAmt": "12.50"})
    assert scribe.read("Payment", payment)["TotalAmt"] == Decimal("12.5")


def test_an_old_sync_token_is_stale(scribe: Scribe, customer: str) -> None:
    payment = scribe.pay(customer, "10")
    scribe.change("Payment", payment, PrivateNote="1")
    with pytest.raises(Fault, match=r"^5010 "):
        scribe.write("Payment", {"Id": payment, "SyncToken": "0", "sparse": True, "PrivateNote": "2"})


def test_a_different_rate_becomes_exchange_gain_or_loss(scribe: Scribe) -> None:
    customer = scribe.customer("Zoë", CurrencyRef={"value": "EUR"})
    invoice = scribe.invoice(customer, ("1", "1", "100"), ExchangeRate=Decimal("1.1"))
    scribe.pay(customer, "100", ("Invoice", invoice, Decimal(100)), ExchangeRate=Decimal("1.25"))
    paid = scribe.read("Invoice", invoice)
    assert (paid["HomeTotalAmt"], paid["HomeBalance"], paid["ExchangeRate"]) == (110, 0, Decimal("1.1"))
    exchange = scribe.books.index.named("Account", "Exchange Gain or Loss")
    assert scribe.books.ledger.home_balance[exchange] == -15
    assert scribe.read("Customer", customer)["Balance"] == 0


def test_parts_of_a_foreign_invoice_leave_no_cents_behind(scribe: Scribe) -> None:
    customer = scribe.customer("Zoë", CurrencyRef={"value": "EUR"})
    invoice = scribe.invoice(customer, ("1", "1", "10"), ExchangeRate=Decimal("1.3333"))
    for part in ("3.33", "3.33", "3.34"):
        scribe.pay(customer, part, ("Invoice", invoice, Decimal(part)), ExchangeRate=Decimal("1.3333"))
    receivable = scribe.books.index.named("Account", "Accounts Receivable (A/R) - EUR")
    assert scribe.books.ledger.account_balance[receivable] == 0
    assert scribe.books.ledger.home_balance[receivable] == 0


def test_a_payment_settles_a_journal_entry(scribe: Scribe, customer: str) -> None:
    index = scribe.books.index
    lines = [
        journal_line("Debit", index.named("Account", "Accounts Receivable (A/R)"), Decimal(60), customer),
        journal_line("Credit", index.named("Account", "Services"), Decimal(60)),
    ]
    journal = scribe.write("JournalEntry", {"Line": lines})
    payment = scribe.pay(customer, "60", ("JournalEntry", journal, Decimal(60)))
    assert scribe.read("Customer", customer)["Balance"] == 0
    with pytest.raises(Fault, match="open balance"):
        scribe.pay(customer, "1", ("JournalEntry", journal, Decimal(1)))
    scribe.drop("JournalEntry", journal)
    assert scribe.read("Payment", payment)["UnappliedAmt"] == 60


def test_a_journals_credit_line_pays_an_invoice(scribe: Scribe, customer: str, invoice: str) -> None:
    index = scribe.books.index
    lines = [
        journal_line("Debit", index.named("Account", "Bank Charges"), Decimal(3)),
        journal_line("Credit", index.named("Account", "Accounts Receivable (A/R)"), Decimal(3), customer),
    ]
    journal = scribe.write("JournalEntry", {"Line": lines})
    scribe.pay(customer, "97", ("Invoice", invoice, Decimal(100)), ("JournalEntry", journal, Decimal(3)))
    assert balance(scribe, invoice) == 0
    assert scribe.read("Customer", customer)["Balance"] == 0
    assert funds(scribe)["CurrentBalance"] == 97


def test_a_payment_may_name_the_line_of_a_journal_entry(scribe: Scribe, customer: str) -> None:
    index = scribe.books.index
    receivable = index.named("Account", "Accounts Receivable (A/R)") or ""
    lines = [
        journal_line("Debit", receivable, Decimal(10), customer),
        journal_line("Debit", receivable, Decimal(20), customer),
        journal_line("Credit", index.named("Account", "Services") or "", Decimal(30)),
    ]
    journal = scribe.write("JournalEntry", {"Line": lines})

    def body(line_id: str, amount: int) -> dict[str, Any]:
        link = {"TxnId": journal, "TxnType": "JournalEntry", "TxnLineId": line_id}
        return {
            "CustomerRef": {"value": customer},
            "TotalAmt": amount,
            "Line": [{"Amount": amount, "LinkedTxn": [link]}],
        }

    scribe.write("Payment", body("1", 20))
    with pytest.raises(Fault, match="open balance"):
        scribe.write("Payment", body("1", 1))
    with pytest.raises(Fault, match=r"^620 "):
        scribe.write("Payment", body("2", 1))
    scribe.pay(customer, "10", ("JournalEntry", journal, Decimal(10)))
    assert scribe.read("Customer", customer)["Balance"] == 0
