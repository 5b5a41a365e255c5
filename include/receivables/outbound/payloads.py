"""
What Peakflo's payments are in QuickBooks: a Payment and, where needed, the JournalEntry that it links.

Nothing here asks the database or QuickBooks: the same payment always gives the same JSON.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from include.plain_text import one_line
from include.quickbooks.writing import encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date
    from uuid import UUID

Json = dict[str, Any]
Document = Literal["payment", "journal_entry"]

ZERO = Decimal(0)
# Intuit: a note has up to 4,000 characters.
MAX_NOTE = 4000
# The last character of Unicode that takes one unit of UTF-16.
MOST_COMMON = 0xFFFF
_LETTERS = {"payment": "p", "journal_entry": "j"}
# 80 bits in base32, so that with its prefix it is shorter than the 21 characters that QuickBooks takes.
_REFERENCE_BYTES = 10
# What the lines of a journal entry are called.
RECEIVABLE = "Accounts Receivable"
PROCESSING_FEE = "Processing fee"
ROUNDING = "Rounding"
WITHHOLDING_TAX = "Withholding tax"


@dataclass(frozen=True, slots=True)
class Settlement:
    """
    An invoice that a payment settles; with several taxes kept back there are several of one invoice.

    :param amount: what of the money and the credits goes to it.
    :param withholding_tax: what the customer kept back of it for the tax office.
    :param rounding: what is written off; negative when the customer paid more than was due.
    """

    qbo_id: str
    amount: Decimal
    withholding_tax: Decimal = ZERO
    withholding_tax_type: str = ""
    rounding: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """What the invoice is lowered by."""
        return self.amount + self.withholding_tax + self.rounding


@dataclass(frozen=True, slots=True)
class CreditUse:
    """What a payment takes from a credit memo."""

    qbo_id: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Accounts:
    """
    The QuickBooks accounts that a payment moves; an account that it does not need is empty.

    :param withholding_tax: by type of tax.
    """

    deposit: str
    receivable: str = ""
    processing_fees: str = ""
    rounding: str = ""
    withholding_tax: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutgoingPayment:
    """
    One of Peakflo's payments with the QuickBooks ids of what it concerns.

    :param amount: what the customer paid.
    :param processing_fee: what the processor kept of it before the rest arrived at the bank.
    :param is_foreign: whether its currency is not the company's own.
    :param exchange_rate: home units per unit of the currency; without one QuickBooks takes its rate of the day.
    :param method_qbo_id: the payment method, if QuickBooks has one of that name.
    """

    payment_id: UUID
    customer_qbo_id: str
    payment_date: date
    amount: Decimal
    currency: str
    accounts: Accounts
    settlements: tuple[Settlement, ...] = ()
    credits_used: tuple[CreditUse, ...] = ()
    processing_fee: Decimal = ZERO
    is_foreign: bool = False
    exchange_rate: Decimal | None = None
    method_qbo_id: str | None = None
    reference: str | None = None
    note: str | None = None

    @property
    def written_off(self) -> Decimal:
        """What settles invoices without being money or credit: withholding tax and rounding."""
        return sum((part.withholding_tax + part.rounding for part in self.settlements), ZERO)


@dataclass(frozen=True, slots=True)
class LinkedEntry:
    """A delivered JournalEntry whose receivable line a payment passes on to its invoices."""

    qbo_id: str


def request_id(payment_id: UUID, document: Document, generation: int = 0, undo_count: int = 0) -> str:
    """
    Return the id under which QuickBooks recognises a repeated request.

    :param undo_count: how often the record was to be undone; 0 for the request that makes it.
    """
    suffix = (f"-g{generation}" if generation else "") + (f"-u{undo_count}" if undo_count else "")
    return f"pf-{_LETTERS[document]}-{payment_id.hex}{suffix}"


def reference_number(payment_id: UUID) -> str:
    """
    Return what a payment is searched by: its PaymentRefNum, and its JournalEntry's DocNumber.

    Intuit: both take up to 21 characters.
    """
    digest = hashlib.sha256(payment_id.bytes).digest()[:_REFERENCE_BYTES]
    return f"PF{base64.b32encode(digest).decode()}"


def marker(payment_id: UUID) -> str:
    """Return what the notes of a payment and of its JournalEntry end with."""
    return f"Peakflo payment {payment_id}"


def needs_adjustment(outgoing: OutgoingPayment) -> bool:
    """Tell whether a payment needs a JournalEntry, to be delivered before it."""
    return bool(_entry_lines(outgoing))


def parse(text: str | bytes) -> Json:
    """Read a record's JSON with amounts as decimals."""
    parsed: Json = json.loads(text, parse_float=Decimal)
    return parsed


def plain(payload: Json) -> Json:
    """Return a record as it is read back from its JSON."""
    return parse(encode(payload))


def payment(outgoing: OutgoingPayment, entry: LinkedEntry | None = None) -> Json:
    """
    Build the Payment.

    :param entry: the JournalEntry that it links.
    :raises ValueError: if the JournalEntry that it has to link is missing.
    """
    record: Json = {
        "CustomerRef": {"value": outgoing.customer_qbo_id},
        "TxnDate": outgoing.payment_date.isoformat(),
        "TotalAmt": _plain(outgoing.amount),
        "PaymentRefNum": reference_number(outgoing.payment_id),
        "PrivateNote": _note(outgoing),
        "Line": _payment_lines(outgoing, entry),
        **_currency(outgoing),
    }
    if outgoing.accounts.deposit:
        record["DepositToAccountRef"] = {"value": outgoing.accounts.deposit}
    if outgoing.method_qbo_id is not None:
        record["PaymentMethodRef"] = {"value": outgoing.method_qbo_id}
    return record


def adjustment(outgoing: OutgoingPayment) -> Json:
    """
    Build the JournalEntry that books fee, withholding tax and rounding.

    :raises ValueError: if the payment needs none.
    """
    lines = _entry_lines(outgoing)
    if not lines:
        raise ValueError("the payment has no fee, withholding tax or rounding to book")
    return {
        "TxnDate": outgoing.payment_date.isoformat(),
        "DocNumber": reference_number(outgoing.payment_id),
        "PrivateNote": _note(outgoing),
        "Line": lines,
        **_currency(outgoing),
    }


def deposit_of(entry_lines: Iterable[Json | None]) -> str | None:
    """Return the account from which the lines of a JournalEntry take the fee."""
    for line in entry_lines:
        detail = (line or {}).get("JournalEntryLineDetail") or {}
        if line and line.get("Description") == PROCESSING_FEE and detail.get("PostingType") == "Credit":
            return str(detail["AccountRef"]["value"])
    return None


def tax_type_of(description: str) -> str:
    """Return the type of the tax that a JournalEntry's line keeps back."""
    return description.removeprefix(WITHHOLDING_TAX).strip()


def _payment_lines(outgoing: OutgoingPayment, entry: LinkedEntry | None) -> list[Json]:
    settled: dict[str, Decimal] = defaultdict(Decimal)
    for part in outgoing.settlements:
        settled[part.qbo_id] += part.total
    used: dict[str, Decimal] = defaultdict(Decimal)
    for credit in outgoing.credits_used:
        used[credit.qbo_id] += credit.amount
    lines = [_payment_line(amount, "Invoice", qbo_id) for qbo_id, amount in settled.items() if amount]
    lines += [_payment_line(amount, "CreditMemo", qbo_id) for qbo_id, amount in used.items()]
    if outgoing.written_off:
        if entry is None:
            raise ValueError("the payment links a journal entry, which has to be delivered first")
        # Its only receivable line needs no TxnLineId, which clients leave out when they link a journal entry.
        lines.append(_payment_line(abs(outgoing.written_off), "JournalEntry", entry.qbo_id))
    return lines


def _payment_line(amount: Decimal, entity: str, qbo_id: str) -> Json:
    return {"Amount": _plain(amount), "LinkedTxn": [{"TxnId": qbo_id, "TxnType": entity}]}


def _entry_lines(outgoing: OutgoingPayment) -> list[Json]:
    """
    Build the JournalEntry's lines.

    The fee leaves the deposit account, which the payment fills with the whole amount. Withholding tax and rounding
    lower the receivable, and the payment passes that on to its invoices.
    """
    accounts = outgoing.accounts
    lines: list[Json] = []
    if outgoing.written_off:
        lines.append(_receivable_line(outgoing))
    for tax_type, amount in sorted(_withheld(outgoing).items()):
        name = f"{WITHHOLDING_TAX} {tax_type}".rstrip()
        lines.append(_entry_line(name, amount, accounts.withholding_tax.get(tax_type, "")))
    rounding = sum((part.rounding for part in outgoing.settlements), ZERO)
    if rounding:
        lines.append(_entry_line(ROUNDING, rounding, accounts.rounding))
    if outgoing.processing_fee:
        lines.append(_entry_line(PROCESSING_FEE, outgoing.processing_fee, accounts.processing_fees))
        lines.append(_entry_line(PROCESSING_FEE, -outgoing.processing_fee, accounts.deposit))
    return lines


def _withheld(outgoing: OutgoingPayment) -> dict[str, Decimal]:
    by_type: dict[str, Decimal] = defaultdict(Decimal)
    for part in outgoing.settlements:
        if part.withholding_tax:
            by_type[part.withholding_tax_type] += part.withholding_tax
    return by_type


def _receivable_line(outgoing: OutgoingPayment) -> Json:
    line = _entry_line(RECEIVABLE, -outgoing.written_off, outgoing.accounts.receivable)
    customer = {"Type": "Customer", "EntityRef": {"value": outgoing.customer_qbo_id}}
    line["JournalEntryLineDetail"]["Entity"] = customer
    return line


def _entry_line(description: str, debit: Decimal, account: str) -> Json:
    """Build a line of a JournalEntry: a debit, or a credit when it is negative."""
    return {
        "Amount": _plain(abs(debit)),
        "Description": description,
        "DetailType": "JournalEntryLineDetail",
        "JournalEntryLineDetail": {
            "PostingType": "Debit" if debit > ZERO else "Credit",
            "AccountRef": {"value": account},
        },
    }


def _currency(outgoing: OutgoingPayment) -> Json:
    if not outgoing.is_foreign:
        return {}
    fields: Json = {"CurrencyRef": {"value": outgoing.currency}}
    if outgoing.exchange_rate is not None:
        fields["ExchangeRate"] = _plain(outgoing.exchange_rate)
    return fields


def _note(outgoing: OutgoingPayment) -> str:
    """Build the note: Peakflo's own, the customer's reference, and the marker, which is never cut."""
    reference = f"Reference {outgoing.reference}" if outgoing.reference else ""
    end = marker(outgoing.payment_id)
    said = _printable(" · ".join(filter(None, (outgoing.note, reference))))[: MAX_NOTE - len(end) - 3]
    return f"{said} · {end}" if said else end


def _printable(text: str) -> str:
    """Leave out what QuickBooks fails at, which keeps texts as XML and counts them in UTF-16: controls, emoji."""
    return "".join(sign for sign in one_line(text) if ord(sign) <= MOST_COMMON)


def _plain(number: Decimal) -> Decimal:
    """Drop zeros that a column's scale adds: 100.0000 is written 100.00, a rate 1.0900000000 as 1.09."""
    cents = number.quantize(Decimal("0.01"))
    return cents if cents == number else Decimal(f"{number.normalize():f}")
