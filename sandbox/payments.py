"""Payments: received money, applied to what customers owe, also by means of what is owed to them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox import account_lines, chart, faults, open_items, payment_lines, sales, settlement, validation
from sandbox.balances import enter
from sandbox.json_text import ZERO, amount, decimal_of
from sandbox.ledger import Posting

if TYPE_CHECKING:
    from sandbox.books import Books, Record
    from sandbox.links import Target
    from sandbox.payment_lines import Applications

LIMITS = {"PaymentRefNum": 21, "PrivateNote": 4000}
_DEPOSIT_TYPES = ("Bank", "Other Current Asset")


def create(books: Books, body: dict[str, Any]) -> Record:
    """
    Enter a payment.

    :raises faults.Fault: when it breaks a rule.
    """
    form, applications = _build(books, body, None)
    record = books.add("Payment", form)
    return _apply(books, record.id, applications.applied)


def update(books: Books, record: Record, body: dict[str, Any]) -> Record:
    """
    Replace a payment; its lines are all or none of what is applied.

    :raises faults.Fault: when it breaks a rule.
    """
    _check_not_deposited(record)
    form, applications = _build(books, body, record)
    books.revise(record, form)
    return _apply(books, record.id, applications.applied)


def delete(books: Books, record: Record) -> None:
    """
    Delete a payment; what it paid is open again.

    :raises faults.Fault: when the period is closed, or the payment sits in a deposit.
    """
    _check_not_deposited(record)
    validation.check_open_period(books, date.fromisoformat(record.fields()["TxnDate"]))
    erase(books, record)


def erase(books: Books, record: Record) -> None:
    """Take a payment out of the books."""
    changed = books.apply(record.id, {})
    enter(books, ("Payment", record.id), ())
    books.remove(record)
    settlement.settle(books, changed)


def void(books: Books, record: Record) -> Record:
    """
    Void a payment: amounts become 0, the lines go, "Voided" stands before the note.

    :raises faults.Fault: when the period is closed, or the payment sits in a deposit.
    """
    _check_not_deposited(record)
    form = record.fields()
    validation.check_open_period(books, date.fromisoformat(form["TxnDate"]))
    cleared = {"TotalAmt": ZERO, "UnappliedAmt": ZERO, "Line": [], "PrivateNote": sales.voided_note(form)}
    books.revise(record, {**form, **cleared})
    return _apply(books, record.id, {})


def withdraw(books: Books, record: Record, gone: set[Target]) -> None:
    """Take transactions that are deleted out of a payment; the money becomes unapplied."""
    form = record.fields()
    total = Decimal(form["TotalAmt"])
    applied = {
        target: value for target, value in books.links.of_payment(record.id).items() if target not in gone
    }
    sides = {open_items.is_charge(books, target) for target in applied}
    if not total and len(sides) < 2:
        # A payment of 0 exists only to link credits to charges.
        erase(books, record)
        return
    lines = payment_lines.without(form["Line"], gone)
    lines, applied = payment_lines.within_means(books, total, lines, applied)
    rest = payment_lines.unapplied(books, total, applied)
    books.revise(record, {**form, "Line": lines, "UnappliedAmt": amount(rest)})
    _apply(books, record.id, applied)


def _build(books: Books, body: dict[str, Any], old: Record | None) -> tuple[dict[str, Any], Applications]:
    validation.require({**body, "TotalAmt": str(body.get("TotalAmt", ""))}, "CustomerRef", "TotalAmt")
    validation.check_lengths(body, LIMITS)
    customer = validation.referenced(books, body["CustomerRef"], "Customer")
    facts = customer.fields()
    currency = chart.transaction_currency(body, facts["CurrencyRef"]["value"])
    paid = validation.entry_date(books, body, old)
    applications = payment_lines.read_lines(
        books, "" if old is None else old.id, customer.id, currency, body.get("Line", [])
    )
    total = _total(body, applications)
    form = {
        **body,
        "CustomerRef": {"value": customer.id, "name": facts["DisplayName"]},
        "DepositToAccountRef": {"value": _deposit_account(books, body, currency)},
        "TotalAmt": amount(total),
        "UnappliedAmt": amount(payment_lines.unapplied(books, total, applications.applied)),
        "ProcessPayment": bool(body.get("ProcessPayment", False)),
        "TxnDate": paid.isoformat(),
        "CurrencyRef": chart.currency_ref(currency),
        "Line": applications.lines,
    }
    if "PaymentMethodRef" in body:
        method = validation.referenced(books, body["PaymentMethodRef"], "PaymentMethod")
        form["PaymentMethodRef"] = {"value": method.id}
    rate = chart.exchange_rate(books, form, currency)
    form.pop("ExchangeRate", None)
    form.update(chart.home_fields(books, rate))
    return form, applications


def _total(body: dict[str, Any], applications: Applications) -> Decimal:
    total = decimal_of(body["TotalAmt"])
    if total < ZERO:
        raise faults.business("Transaction amount must be 0 or greater.")
    if not total and not applications.applied and not str(body.get("PrivateNote", "")).startswith("Voided"):
        raise faults.business("You must set a transaction amount.")
    return total


def _deposit_account(books: Books, body: dict[str, Any], currency: str) -> str:
    ref = body.get("DepositToAccountRef") or {"value": chart.by_sub_type(books, "UndepositedFunds")}
    return account_lines.bank_account(books, ref, _DEPOSIT_TYPES, currency)


def _apply(books: Books, payment_id: str, applied: dict[Target, Decimal]) -> Record:
    changed = books.apply(payment_id, applied)
    enter_again(books, payment_id)
    settlement.settle(books, changed)
    return settlement.redraw(books, books.get("Payment", payment_id))


def enter_again(books: Books, payment_id: str) -> None:
    """Enter a payment into the ledger with the amounts and rates that its targets have now."""
    enter(books, ("Payment", payment_id), _postings(books, payment_id))


def _postings(books: Books, payment_id: str) -> list[Posting]:
    """
    Return the postings of a payment.

    Each target is relieved at its own rate; what the payment's rate brings more or less is exchange gain or loss.
    """
    form = books.get("Payment", payment_id).fields()
    rate, total = sales.rate_of(form), Decimal(form["TotalAmt"])
    account = form["DepositToAccountRef"]["value"]
    home = chart.to_home(total, rate)
    is_foreign = books.index.accounts[account].currency != books.home_currency
    rest = Decimal(form["UnappliedAmt"])
    entry = [
        Posting(account, "", total if is_foreign else home, home),
        Posting(
            sales.receivable_of(books, form), form["CustomerRef"]["value"], -rest, -chart.to_home(rest, rate)
        ),
    ]
    entry += [relief(books, target, value) for target, value in books.links.of_payment(payment_id).items()]
    gap = sum((posting.home for posting in entry), ZERO)
    if gap:
        exchange = chart.by_sub_type(books, "ExchangeGainOrLoss")
        entry.append(Posting(exchange, "", -gap, -gap))
    return entry


def relief(books: Books, target: Target, value: Decimal) -> Posting:
    """Return the posting by which a payment relieves what it is applied to, at the rate of that."""
    form = books.get(target.entity, target.id).fields()
    item = open_items.item_in(books, form, target)
    sign = -1 if item.amount > ZERO else 1
    home = chart.to_home(value, sales.rate_of(form))
    return Posting(item.account, item.customer, sign * value, sign * home)


def _check_not_deposited(record: Record) -> None:
    if record.fields().get("LinkedTxn"):
        raise faults.deposited()
