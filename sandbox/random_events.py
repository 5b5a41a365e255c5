"""Random business events, repeatable from the books and a seed, through the same code as the API."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from sandbox import merging
from sandbox.draws import ATTEMPTS, Draws, NothingSuitableError
from sandbox.faults import Fault
from sandbox.json_text import ZERO, cents
from sandbox.scribe import Scribe, check_to, deposit_from, journal_of, payment_line, sales_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.books import Books

Fields = dict[str, Any]
_OTHERS = ("JournalEntry", "Deposit", "Purchase")
_CREDITS = ("CreditMemo", "JournalEntry", "Deposit")
_CHARGES = ("Invoice", "JournalEntry", "Purchase")


def run(books: Books, count: int, seed: int, weights: dict[str, int] | None = None) -> dict[str, int]:
    """
    Run a number of events, and return how many there were of each kind.

    :raises msgspec.ValidationError: when there is no kind of an event that has a weight.
    """
    return Events(Scribe(books), seed, weights).run(count)


class Events(Draws):
    """
    Draws events and carries them out.

    :param scribe: writes them into the books.
    :param weights: how likely events are, by kind, in place of the usual weight; deposits to receivables, checks
        from them and what becomes of those usually have none.
    """

    def __init__(self, scribe: Scribe, seed: int, weights: dict[str, int] | None = None) -> None:
        super().__init__(scribe, seed)
        self._kinds: dict[Callable[[], None], int] = {
            self._new_customer: 4,
            self._new_sub_customer: 3,
            self._rename: 3,
            self._merge: 1,
            self._inactivate: 2,
            self._reactivate: 1,
            self._invoice: 14,
            self._taxed_invoice: 4,
            self._currency_invoice: 5,
            self._edit_invoice: 8,
            self._void_invoice: 2,
            self._delete_invoice: 2,
            self._full_payment: 14,
            self._partial_payment: 9,
            self._over_payment: 4,
            self._unapplied_payment: 4,
            self._reallocate: 6,
            self._void_payment: 3,
            self._delete_payment: 3,
            self._credit_memo: 5,
            self._apply_credit: 5,
            self._delete_credit_memo: 1,
            self._journal: 2,
            self._pay_journal: 1,
            self._deposit: 0,
            self._check: 0,
            self._settle_other: 0,
            self._edit_other: 0,
            self._delete_other: 0,
        }
        self._kinds |= {self._kind(name): weight for name, weight in (weights or {}).items()}

    def _kind(self, name: str) -> Callable[[], None]:
        for kind in self._kinds:
            if kind.__name__ == f"_{name}":
                return kind
        raise msgspec.ValidationError(f"There is no event of the kind {name}.")

    def run(self, count: int) -> dict[str, int]:
        """Run events until enough have succeeded; a refused one is drawn anew."""
        done: Counter[str] = Counter()
        for _ in range(count * ATTEMPTS):
            if done.total() >= count:
                break
            kind = self._random.choices(list(self._kinds), list(self._kinds.values()))[0]
            try:
                kind()
            except (Fault, NothingSuitableError):
                continue
            done[kind.__name__.lstrip("_")] += 1
        return dict(done)

    def _active_customer(self) -> Fields:
        return self._pick("Customer", lambda fields: bool(fields["Active"]))

    def _open_invoice(self) -> Fields:
        return self._pick("Invoice", lambda fields: bool(fields["Balance"]))

    def _new_customer(self) -> None:
        more: Fields = {"PrimaryEmailAddr": {"Address": "accounts@example.com"}}
        if self._books.multicurrency and self._random.random() < 0.3:
            more["CurrencyRef"] = {"value": self._random.choice(("EUR", "GBP", "SGD"))}
        self._scribe.customer(self._name(), **more)

    def _new_sub_customer(self) -> None:
        parent = self._active_customer()
        self._scribe.customer(
            self._name(), ParentRef={"value": parent["Id"]}, BillWithParent=self._random.random() < 0.5
        )

    def _rename(self) -> None:
        self._scribe.change("Customer", self._active_customer()["Id"], DisplayName=self._name())

    def _merge(self) -> None:
        loser, survivor = self._active_customer(), self._active_customer()
        merging.merge_customers(self._scribe, loser["Id"], survivor["Id"])

    def _inactivate(self) -> None:
        idle = self._pick("Customer", lambda fields: fields["Active"] and not fields["BalanceWithJobs"])
        self._scribe.change("Customer", idle["Id"], Active=False)

    def _reactivate(self) -> None:
        self._scribe.change(
            "Customer", self._pick("Customer", lambda each: not each["Active"])["Id"], Active=True
        )

    def _invoice(self) -> None:
        self._scribe.invoice(self._active_customer()["Id"], *self._lines())

    def _taxed_invoice(self) -> None:
        code = self._pick("TaxCode", lambda fields: bool(fields["Active"]))["Id"]
        is_us = self._scribe.read("CompanyInfo", "1")["Country"] == "US"
        lines = [sales_line(*line, tax="TAX" if is_us else code) for line in self._lines()]
        discount = {"PercentBased": True, "DiscountPercent": self._random.randint(1, 30)}
        lines.append({"DetailType": "DiscountLineDetail", "DiscountLineDetail": discount})
        body = {"CustomerRef": {"value": self._active_customer()["Id"]}, "Line": lines}
        if is_us:
            body["TxnTaxDetail"] = {"TxnTaxCodeRef": {"value": code}}
        self._scribe.write("Invoice", {**body, "TxnDate": self._scribe.today().isoformat()})

    def _currency_invoice(self) -> None:
        home = self._books.home_currency
        foreign = self._pick("Customer", lambda each: each["Active"] and each["CurrencyRef"]["value"] != home)
        rate = Decimal(self._random.randint(500_000, 1_500_000)) / 1_000_000
        self._scribe.invoice(foreign["Id"], *self._lines(), ExchangeRate=rate)

    def _edit_invoice(self) -> None:
        invoice = self._open_invoice()
        line = dict(invoice["Line"][0])
        line["SalesItemLineDetail"] = {
            **line["SalesItemLineDetail"],
            "Qty": 1,
            "UnitPrice": Decimal(self._amount(900, 999)),
        }
        line["Amount"] = line["SalesItemLineDetail"]["UnitPrice"]
        self._scribe.change("Invoice", invoice["Id"], Line=[line, *invoice["Line"][1:]])

    def _void_invoice(self) -> None:
        self._scribe.drop("Invoice", self._open_invoice()["Id"], "void")

    def _delete_invoice(self) -> None:
        self._scribe.drop("Invoice", self._pick("Invoice", lambda _fields: True)["Id"])

    def _pay(self, invoice: Fields, total: Decimal, applied: Decimal) -> None:
        payer = invoice["CustomerRef"]["value"]
        self._scribe.pay(
            payer,
            total,
            ("Invoice", invoice["Id"], applied),
            PaymentRefNum=str(self._random.randint(1000, 9999)),
        )

    def _full_payment(self) -> None:
        invoice = self._open_invoice()
        self._pay(invoice, Decimal(invoice["Balance"]), Decimal(invoice["Balance"]))

    def _partial_payment(self) -> None:
        invoice = self._open_invoice()
        part = cents(Decimal(invoice["Balance"]) * self._random.randint(10, 90) / 100)
        self._pay(invoice, part, part)

    def _over_payment(self) -> None:
        invoice = self._open_invoice()
        self._pay(invoice, Decimal(invoice["Balance"]) + Decimal(self._amount()), Decimal(invoice["Balance"]))

    def _unapplied_payment(self) -> None:
        self._scribe.pay(self._active_customer()["Id"], self._amount())

    def _reallocate(self) -> None:
        payment = self._pick("Payment", lambda fields: bool(fields["TotalAmt"]))
        customer = payment["CustomerRef"]["value"]
        invoice = self._pick(
            "Invoice", lambda each: each["CustomerRef"]["value"] == customer and each["Balance"] > 0
        )
        part = min(Decimal(payment["TotalAmt"]), Decimal(invoice["Balance"]))
        self._scribe.change("Payment", payment["Id"], Line=[payment_line("Invoice", invoice["Id"], part)])

    def _void_payment(self) -> None:
        self._scribe.drop("Payment", self._pick("Payment", lambda each: bool(each["TotalAmt"]))["Id"], "void")

    def _delete_payment(self) -> None:
        self._scribe.drop("Payment", self._pick("Payment", lambda _fields: True)["Id"])

    def _credit_memo(self) -> None:
        self._scribe.credit(self._active_customer()["Id"], *self._lines()[:1])

    def _apply_credit(self) -> None:
        credit = self._pick("CreditMemo", lambda fields: bool(fields["RemainingCredit"]))
        customer = credit["CustomerRef"]["value"]
        invoice = self._pick(
            "Invoice", lambda each: each["CustomerRef"]["value"] == customer and each["Balance"] > 0
        )
        part = min(Decimal(credit["RemainingCredit"]), Decimal(invoice["Balance"]))
        self._scribe.pay(customer, "0", ("Invoice", invoice["Id"], part), ("CreditMemo", credit["Id"], part))

    def _delete_credit_memo(self) -> None:
        self._scribe.drop("CreditMemo", self._pick("CreditMemo", lambda _fields: True)["Id"])

    def _journal(self) -> None:
        customer = self._home_customer()
        value = Decimal(self._amount())
        is_debit = self._random.sample(("Debit", "Credit"), 2)[0] == "Debit"
        journal_of(self._scribe, customer, value if is_debit else -value)

    def _home_customer(self) -> str:
        home = self._books.home_currency
        customer = self._pick(
            "Customer", lambda each: each["Active"] and each["CurrencyRef"]["value"] == home
        )
        return str(customer["Id"])

    def _deposit(self) -> None:
        deposit_from(self._scribe, self._active_customer()["Id"], Decimal(self._amount()))

    def _check(self) -> None:
        check_to(self._scribe, self._active_customer()["Id"], Decimal(self._amount()))

    def _settle_other(self) -> None:
        """Link what a customer is owed to what it owes, or one of its sub-customers; money may pay the rest."""
        credit, left = self._open_item(self._random.choice(_CREDITS), lambda item: item.amount < ZERO)
        family = self._books.index.trees["Customer"].family(left.customer)
        charge, owed = self._open_item(
            self._random.choice(_CHARGES), lambda item: item.amount > ZERO and item.customer in family
        )
        part = cents(min(left.amount, owed.amount) * self._random.randint(1, 4) / 4)
        money = self._random.choice((ZERO, owed.amount - part))
        self._scribe.pay(left.customer, money, (*charge, part + money), (*credit, part))

    def _edit_other(self) -> None:
        entity = self._random.choice(_OTHERS)
        form = self._pick(entity, lambda _fields: True)
        value = Decimal(self._amount())
        lines = [line if "LinkedTxn" in line else {**line, "Amount": value} for line in form["Line"]]
        self._scribe.change(entity, form["Id"], Line=lines)

    def _delete_other(self) -> None:
        entity = self._random.choice(_OTHERS)
        self._scribe.drop(entity, self._pick(entity, lambda _fields: True)["Id"])

    def _pay_journal(self) -> None:
        journal = self._pick("JournalEntry", _is_charge)
        line = journal["Line"][0]
        customer = line["JournalEntryLineDetail"]["Entity"]["EntityRef"]["value"]
        part = cents(Decimal(line["Amount"]) / 4)
        self._scribe.pay(customer, part, ("JournalEntry", journal["Id"], part))


def _is_charge(journal: Fields) -> bool:
    detail = journal["Line"][0]["JournalEntryLineDetail"]
    return bool(detail["PostingType"] == "Debit" and detail.get("Entity", {}).get("Type") == "Customer")
