"""What Peakflo's payments do to the books, account by account."""

from __future__ import annotations

import random
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.support.outgoing import Payer, credit, invoice, open_company

if TYPE_CHECKING:
    from uuid import UUID

RECEIVABLE = "Accounts Receivable (A/R)"


@pytest.fixture
def payer(bench, keep_books) -> Payer:
    return open_company(bench, keep_books)


def bill(payer: Payer, *amounts: str, **more) -> list[str]:
    """Bill the customer, and read that into Peakflo."""
    invoices = [
        payer.books.invoice(payer.customer, amount, TxnDate="2026-11-02", **more) for amount in amounts
    ]
    payer.bench.sync(payer.company)
    return invoices


def balances(payer: Payer) -> dict[str, Decimal]:
    """Return every account's balance in the company's own currency."""
    trial = payer.sandbox.truth(payer.company.realm_id)["trial_balance"]
    assert trial["debits"] == trial["credits"]
    return {account["name"]: Decimal(account["home"]) for account in trial["accounts"].values()}


def moved_by(payer: Payer, payment_id: UUID) -> dict[str, Decimal]:
    """Deliver a payment, and return what that moved on which account."""
    before = balances(payer)
    payer.deliver(payment_id)
    after = balances(payer)
    moves = {name: after.get(name, Decimal(0)) - before.get(name, Decimal(0)) for name in before | after}
    return {name: move for name, move in moves.items() if move}


def amounts(**moves: str | Decimal) -> dict[str, Decimal]:
    names = {
        "bank": "Checking",
        "wallet": "Savings",
        "receivable": RECEIVABLE,
        "fees": "Payment Processing Fees",
        "rounding": "Rounding",
        "tax": "Withholding Tax Receivable",
        "exchange": "Exchange Gain or Loss",
    }
    return {names[name]: Decimal(move) for name, move in moves.items()}


def open_of(payer: Payer, entity: str, record_id: str, field: str = "Balance") -> Decimal:
    return Decimal(str(payer.books.read(entity, record_id)[field]))


def test_a_payment_moves_the_bank_and_closes_its_invoice(payer):
    [bill_id] = bill(payer, "100")

    assert moved_by(payer, payer.take("100", invoice(bill_id, "100"))) == amounts(
        bank="100", receivable="-100"
    )
    assert open_of(payer, "Invoice", bill_id) == 0


def test_the_bank_gets_what_the_processor_did_not_keep(payer):
    [bill_id] = bill(payer, "100")

    payment_id = payer.take("100", invoice(bill_id, "100"), processing_fee=Decimal("2.90"))

    assert moved_by(payer, payment_id) == amounts(bank="97.10", fees="2.90", receivable="-100")
    assert open_of(payer, "Invoice", bill_id) == 0


def test_withholding_tax_closes_the_invoice_and_is_claimed_from_the_tax_office(payer):
    [bill_id] = bill(payer, "100")
    applied = invoice(bill_id, "98", withholding_tax_amount="2", withholding_tax_type="PPh 23")

    assert moved_by(payer, payer.take("98", applied)) == amounts(bank="98", tax="2", receivable="-100")
    assert open_of(payer, "Invoice", bill_id) == 0
    assert open_of(payer, "Customer", payer.customer) == 0


@pytest.mark.parametrize(
    ("paid", "rounding"), [("99.97", "0.03"), ("100.02", "-0.02")], ids=["too little", "too much"]
)
def test_rounding_closes_the_invoice(payer, paid, rounding):
    [bill_id] = bill(payer, "100")

    payment_id = payer.take(paid, invoice(bill_id, paid, rounding_amount=rounding))

    assert moved_by(payer, payment_id) == amounts(bank=paid, rounding=rounding, receivable="-100")
    assert open_of(payer, "Invoice", bill_id) == 0
    assert open_of(payer, "Customer", payer.customer) == 0


def test_a_wallet_has_an_account_of_its_own(payer):
    [bill_id] = bill(payer, "100")

    payment_id = payer.take("60", invoice(bill_id, "60"), wallet="PayNow")

    assert moved_by(payer, payment_id) == amounts(wallet="60", receivable="-60")
    assert open_of(payer, "Invoice", bill_id) == 40


def test_an_unknown_wallet_falls_back_on_its_currency(payer):
    [bill_id] = bill(payer, "100")

    payment_id = payer.take("60", invoice(bill_id, "60"), wallet="GrabPay")

    assert moved_by(payer, payment_id) == amounts(bank="60", receivable="-60")


def test_what_is_not_applied_stays_with_the_customer(payer):
    [bill_id] = bill(payer, "100")

    payment = payer.deliver(payer.take("130", invoice(bill_id, "100")))

    assert payment["UnappliedAmt"] == 30
    assert open_of(payer, "Customer", payer.customer) == -30


def test_a_credit_note_pays_a_part(payer):
    memo = payer.books.credit(payer.customer, "30", TxnDate="2026-11-03")
    [bill_id] = bill(payer, "100")

    payment_id = payer.take("70", invoice(bill_id, "100"), credit(memo, "30"))

    assert moved_by(payer, payment_id) == amounts(bank="70", receivable="-70")
    assert open_of(payer, "Invoice", bill_id) == 0
    assert open_of(payer, "CreditMemo", memo, "RemainingCredit") == 0


def test_a_credit_note_alone_moves_no_money(payer):
    memo = payer.books.credit(payer.customer, "30", TxnDate="2026-11-03")
    [bill_id] = bill(payer, "100")

    assert moved_by(payer, payer.take("0", invoice(bill_id, "30"), credit(memo, "30"))) == {}
    assert open_of(payer, "Invoice", bill_id) == 70


def test_fee_taxes_rounding_and_credit_go_together(payer):
    memo = payer.books.credit(payer.customer, "12", TxnDate="2026-11-03")
    first, second = bill(payer, "80", "40")

    payment_id = payer.take(
        "103.55",
        invoice(first, "78", withholding_tax_amount="1.95", withholding_tax_type="A", rounding_amount="0.05"),
        invoice(second, "37.55", withholding_tax_amount="2.45", withholding_tax_type="B"),
        credit(memo, "12"),
        processing_fee=Decimal("3.05"),
        method="paynow",
        reference="TT-4711",
    )

    moved = moved_by(payer, payment_id)

    assert moved == amounts(bank="100.50", fees="3.05", tax="4.40", rounding="0.05", receivable="-108")
    assert [open_of(payer, "Invoice", each) for each in (first, second)] == [0, 0]
    assert open_of(payer, "CreditMemo", memo, "RemainingCredit") == 0
    assert open_of(payer, "Customer", payer.customer) == 0


def test_a_foreign_payment_goes_at_its_own_rate(bench, keep_books):
    payer = open_company(bench, keep_books, currency="EUR")
    payer.map_account("deposit_currency", "EUR", "Checking")
    [bill_id] = bill(payer, "100", CurrencyRef={"value": "EUR"}, ExchangeRate="1.10")

    payment_id = payer.take(
        "97",
        invoice(bill_id, "97", withholding_tax_amount="2.50", rounding_amount="0.50"),
        currency="EUR",
        exchange_rate=Decimal("1.2"),
        processing_fee=Decimal(2),
    )

    # 100 EUR at the invoice's rate leave the receivable; that they are worth more by now is a gain.
    assert moved_by(payer, payment_id) == {
        "Accounts Receivable (A/R) - EUR": -110,
        **amounts(bank="114", fees="2.40", tax="3", rounding="0.60", exchange="-10"),
    }
    assert open_of(payer, "Invoice", bill_id) == 0
    assert open_of(payer, "Customer", payer.customer) == 0


def test_the_payment_says_whose_it_is(payer):
    [bill_id] = bill(payer, "100")
    payment_id = payer.take(
        "100", invoice(bill_id, "100"), method="bank transfer", note="Thanks", reference="R-1"
    )

    payment = payer.deliver(payment_id)

    methods = payer.sandbox.truth(payer.company.realm_id, records=True)["records"]["PaymentMethod"]
    assert payment["PrivateNote"] == f"Thanks · Reference R-1 · Peakflo payment {payment_id}"
    assert payment["PaymentRefNum"].startswith("PF")
    assert payment["TxnDate"] == "2026-11-20"
    assert {"Bank Transfer"} == {
        method["Name"] for method in methods if method["Id"] == payment["PaymentMethodRef"]["value"]
    }


def test_a_payment_method_that_quickbooks_lacks_is_left_out(payer):
    [bill_id] = bill(payer, "100")

    payment = payer.deliver(payer.take("100", invoice(bill_id, "100"), method="Bags of coins"))

    assert "PaymentMethodRef" not in payment


def test_many_payments_add_up_account_by_account(payer):
    chance = random.Random(20261120)
    before = balances(payer)
    bills = bill(payer, *["100"] * 40)
    open_amounts = dict.fromkeys(bills, Decimal(100))
    expected: dict[str, Decimal] = defaultdict(Decimal)
    for first in range(0, len(bills), 2):
        applied = []
        for bill_id in bills[first : first + chance.randint(1, 2)]:
            tax = chance.choice([Decimal(0), Decimal("1.25")])
            rounding = chance.choice([Decimal(0), Decimal("0.03"), Decimal("-0.02")])
            amount = chance.choice([Decimal(100), Decimal("33.33")]) - tax - rounding
            applied.append(
                invoice(bill_id, str(amount), withholding_tax_amount=str(tax), rounding_amount=str(rounding))
            )
            open_amounts[bill_id] -= amount + tax + rounding
            expected["tax"] += tax
            expected["rounding"] += rounding
        paid = sum(Decimal(each.amount) for each in applied) + chance.choice([0, 5])
        fee = chance.choice([Decimal(0), Decimal("2.95")])
        payer.deliver(payer.take(str(paid), *applied, processing_fee=fee))
        expected["bank"] += paid - fee
        expected["fees"] += fee

    after = balances(payer)

    # What was billed meanwhile is in the receivable as well.
    expected["receivable"] = 100 * len(bills) - expected["bank"] - expected["fees"] - expected["tax"]
    expected["receivable"] -= expected["rounding"]
    moved = {name: after[name] - before.get(name, Decimal(0)) for name in amounts(**expected)}
    assert moved == amounts(**expected)
    assert {bill_id: open_of(payer, "Invoice", bill_id) for bill_id in bills} == open_amounts
