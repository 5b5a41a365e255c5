"""The books of the demo company: small, and with one of everything that makes a sync hard."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from sandbox.chart import by_sub_type
from sandbox.random_events import Events
from sandbox.scribe import Scribe, journal_line, sales_line

if TYPE_CHECKING:
    from sandbox.books import Books

AGE_DAYS = 60
_DAY = 86_400
_PEOPLE = (
    ("Amy's Bird Sanctuary", "amy@birds.example"),
    ("Bill's Windsurf Shop", "bill@surf.example"),
    ("Café Zürich GmbH", "rechnung@zuerich.example"),
    ("株式会社さくら", "keiri@sakura.example"),
    ("Dukes Basketball Camp", "dukes@camp.example"),
    ("Łukasz & Søn ApS", "lukasz@son.example"),
    ("O'Brien Plumbing", "office@obrien.example, billing@obrien.example"),
    ("Paulsen Medical Supplies", "ap@paulsen.example"),
)
_BACKGROUND_EVENTS = 60


def fill(books: Books, seed: int) -> None:
    """Write the company's history."""
    scribe = Scribe(books, at=books.clock.now() - AGE_DAYS * _DAY)
    people = {name: _customer(scribe, name, email) for name, email in _PEOPLE}
    _sub_customers(scribe)
    _taxed_and_discounted(scribe, people["Amy's Bird Sanctuary"])
    _payments(scribe, people["Bill's Windsurf Shop"])
    _credits(scribe, people["Dukes Basketball Camp"])
    if books.multicurrency:
        _currencies(scribe)
    _voids_and_deletions(scribe, people["O'Brien Plumbing"])
    _journal(scribe, people["Paulsen Medical Supplies"])
    _inactive_records(scribe)
    _same_second(scribe, people["Café Zürich GmbH"])
    _background(scribe, seed)
    _future(scribe)
    _deposit(scribe)


def _customer(scribe: Scribe, name: str, email: str) -> str:
    scribe.wait(3600)
    return scribe.customer(
        name,
        PrimaryEmailAddr={"Address": email},
        PrimaryPhone={"FreeFormNumber": "(650) 555-0100"},
        BillAddr={
            "Line1": "4581 Finch St.",
            "City": "Bayshore",
            "CountrySubDivisionCode": "CA",
            "PostalCode": "94326",
        },
        SalesTermRef={"value": "3"},
    )


def _sub_customers(scribe: Scribe) -> None:
    scribe.wait(_DAY)
    parent = scribe.customer("Freeman Sporting Goods", PrimaryEmailAddr={"Address": "freeman@sport.example"})
    yard = scribe.customer("0969 Ocean View Road", ParentRef={"value": parent}, BillWithParent=True)
    twin = scribe.customer("55 Twin Lane", ParentRef={"value": parent})
    shed = scribe.customer("Garden shed", ParentRef={"value": twin})
    first = scribe.invoice(yard, ("4", "1", "275"), ("5", "10", "4"))
    scribe.invoice(twin, ("3", "2", "75"))
    scribe.invoice(shed, ("2", "3", "95"))
    scribe.wait(_DAY)
    # The invoice hangs on the sub-customer, the payment on the parent.
    scribe.pay(
        parent, "200", ("Invoice", first, Decimal(200)), PaymentMethodRef={"value": "2"}, PaymentRefNum="2041"
    )


def _taxed_and_discounted(scribe: Scribe, customer: str) -> None:
    scribe.wait(_DAY)
    taxed = sales_line("4", "2", "275", tax="TAX" if _is_us(scribe) else "1")
    discount = {
        "DetailType": "DiscountLineDetail",
        "DiscountLineDetail": {"PercentBased": True, "DiscountPercent": 10},
    }
    body = {
        "CustomerRef": {"value": customer},
        "TxnDate": scribe.today().isoformat(),
        "Line": [taxed, discount],
    }
    if _is_us(scribe):
        body["TxnTaxDetail"] = {"TxnTaxCodeRef": {"value": "1"}}
    scribe.write("Invoice", body)
    scribe.invoice(customer, ("6", "2.5", "49.5"), CustomerMemo={"value": "Thank you for your business!"})


def _is_us(scribe: Scribe) -> bool:
    return bool(scribe.read("CompanyInfo", "1")["Country"] == "US")


def _payments(scribe: Scribe, customer: str) -> None:
    scribe.wait(_DAY)
    paid, partly, two = (scribe.invoice(customer, ("3", "1", price)) for price in ("387", "120.5", "80"))
    scribe.wait(2 * _DAY)
    scribe.pay(customer, "387", ("Invoice", paid, Decimal(387)), PaymentMethodRef={"value": "3"})
    scribe.pay(customer, "50.25", ("Invoice", partly, Decimal("50.25")), PaymentRefNum="WIRE-77")
    scribe.wait(_DAY)
    scribe.pay(customer, "100", ("Invoice", two, Decimal(80)), PrivateNote="paid 20 too much")
    scribe.pay(customer, "33.33", PrivateNote="unapplied")


def _credits(scribe: Scribe, customer: str) -> None:
    scribe.wait(_DAY)
    invoice = scribe.invoice(customer, ("2", "4", "95"))
    applied = scribe.credit(customer, ("2", "1", "95"))
    scribe.credit(customer, ("5", "5", "4"), PrivateNote="still open")
    scribe.wait(3600)
    ninety_five = Decimal(95)
    scribe.pay(customer, "0", ("Invoice", invoice, ninety_five), ("CreditMemo", applied, ninety_five))


def _currencies(scribe: Scribe) -> None:
    for currency, name, rate, price in (
        ("EUR", "Müller & Söhne KG", "1.08", "1000"),
        ("SGD", "Lion City Trading Pte Ltd", "0.74", "2500"),
        ("JPY", "東京デザイン", "0.0067", "150000"),
    ):
        scribe.wait(_DAY)
        customer = scribe.customer(name, CurrencyRef={"value": currency})
        invoice = scribe.invoice(customer, ("3", "1", price), ExchangeRate=Decimal(rate))
        scribe.wait(_DAY)
        half = Decimal(price) / 2
        scribe.pay(customer, half, ("Invoice", invoice, half), ExchangeRate=Decimal(rate) * Decimal("1.01"))


def _voids_and_deletions(scribe: Scribe, customer: str) -> None:
    scribe.wait(_DAY)
    voided, deleted, reopened = (scribe.invoice(customer, ("1", "1", price)) for price in ("10", "20", "30"))
    wrong, bounced = (scribe.pay(customer, "30", ("Invoice", reopened, Decimal(15))) for _ in range(2))
    credit = scribe.credit(customer, ("1", "1", "5"))
    scribe.wait(3600)
    scribe.drop("Invoice", voided, "void")
    scribe.drop("Invoice", deleted)
    scribe.drop("Payment", bounced, "void")
    scribe.drop("Payment", wrong)
    scribe.drop("CreditMemo", credit)


def _journal(scribe: Scribe, customer: str) -> None:
    scribe.wait(_DAY)
    receivable = by_sub_type(scribe.books, "AccountsReceivable")
    equity = by_sub_type(scribe.books, "OpeningBalanceEquity")
    value = Decimal("250.75")
    lines = [journal_line("Debit", receivable, value, customer), journal_line("Credit", equity, value)]
    body = {
        "Line": lines,
        "DocNumber": "OB-1",
        "PrivateNote": "Opening balance",
        "TxnDate": scribe.today().isoformat(),
    }
    journal = scribe.write("JournalEntry", body)
    scribe.pay(customer, "100", ("JournalEntry", journal, Decimal(100)))


def _inactive_records(scribe: Scribe) -> None:
    scribe.wait(_DAY)
    gone = scribe.customer("Closed Shop")
    old = scribe.write("Account", {"Name": "Old Savings", "AccountType": "Bank"})
    scribe.wait(60)
    scribe.change("Customer", gone, Active=False)
    scribe.change("Account", old, Active=False)
    scribe.change("PaymentMethod", "4", Active=False)
    scribe.customer("Closed Shop", Notes="Another shop of the same name.")


def _same_second(scribe: Scribe, customer: str) -> None:
    scribe.wait(_DAY)
    for price in ("11", "12", "13", "14"):
        scribe.invoice(customer, ("1", "1", price))


def _background(scribe: Scribe, seed: int) -> None:
    for number in range(_BACKGROUND_EVENTS):
        scribe.wait(_DAY / 2)
        Events(scribe, seed * 1000 + number).run(1)


def _future(scribe: Scribe) -> None:
    scribe.at = scribe.books.clock.now() - 600
    customer = scribe.customer("Tomorrow & Sons", PrimaryEmailAddr={"Address": "pay@tomorrow.example"})
    invoice = scribe.invoice(customer, ("3", "1", "640"))
    scribe.pay(customer, "640", ("Invoice", invoice, Decimal(640)), TxnDate=scribe.days_ahead(14))
    # Intuit's own demo company has an account whose LastUpdatedTime lies in the future.
    scribe.at = scribe.books.clock.now() + 7 * _DAY
    mastercard = by_sub_type(scribe.books, "CreditCard")
    scribe.change("Account", mastercard, Description="Company card")


def _deposit(scribe: Scribe) -> None:
    scribe.at = scribe.books.clock.now() - 300
    customer = scribe.customer("Banked & Co")
    payment = scribe.pay(customer, "75", PaymentRefNum="CHQ-12", PaymentMethodRef={"value": "2"})
    bank = by_sub_type(scribe.books, "Checking")
    line = {"LinkedTxn": [{"TxnId": payment, "TxnType": "Payment"}]}
    body = {"DepositToAccountRef": {"value": bank}, "Line": [line], "TxnDate": scribe.today().isoformat()}
    scribe.write("Deposit", body)
