"""Journal entries."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox import chart, faults, unlinking, validation
from sandbox.account_lines import DETAILS, customer_of, line_ids, lines_of, signed_amount
from sandbox.balances import enter, side
from sandbox.json_text import ZERO, amount, decimal_of
from sandbox.ledger import Posting

if TYPE_CHECKING:
    from sandbox.books import Books, Record

Line = dict[str, Any]
LIMITS = {"DocNumber": 21, "PrivateNote": 4000}
_DETAIL = DETAILS["JournalEntry"]
_LINE_PROPERTIES = frozenset(
    {"Id", "LineNum", "Description", "Amount", "DetailType", _DETAIL, "ProjectRef", "LinkedTxn"}
)


def create(books: Books, body: dict[str, Any]) -> Record:
    """
    Enter a journal entry.

    :raises faults.Fault: when it breaks a rule.
    """
    record = books.add("JournalEntry", _build(books, body, None))
    enter_again(books, record)
    return record


def update(books: Books, record: Record, body: dict[str, Any]) -> Record:
    """
    Replace a journal entry; payments of lines that shrank or went are unlinked.

    :raises faults.Fault: when it breaks a rule.
    """
    return unlinking.replace(books, record, _build(books, body, record), enter_again)


def delete(books: Books, record: Record) -> None:
    """
    Delete a journal entry; payments of its lines become unapplied.

    :raises faults.Fault: when the period is closed.
    """
    validation.check_open_period(books, date.fromisoformat(record.fields()["TxnDate"]))
    unlinking.remove(books, record)


def _build(books: Books, body: dict[str, Any], old: Record | None) -> dict[str, Any]:
    validation.check_lengths(body, LIMITS)
    entered = validation.entry_date(books, body, old)
    currency = str(body.get("CurrencyRef", {}).get("value", books.home_currency))
    lines = body.get("Line", [])
    _check_lines(lines)
    form = {
        "Adjustment": False,
        **body,
        "TxnDate": entered.isoformat(),
        "CurrencyRef": chart.currency_ref(currency),
        "Line": [
            _complete(books, line, line_id, currency)
            for line, line_id in zip(lines, line_ids(lines, 0), strict=True)
        ],
        "TxnTaxDetail": {},
        # Intuit: "will always be set to zero".
        "TotalAmt": ZERO,
    }
    _check_number(books, form, old)
    rate = chart.exchange_rate(books, form, currency)
    form.pop("ExchangeRate", None)
    form.update(chart.home_fields(books, rate))
    if books.multicurrency:
        form["HomeTotalAmt"] = ZERO
    return form


def _check_lines(lines: list[Line]) -> None:
    for line in lines:
        if set(line) - _LINE_PROPERTIES:
            raise faults.invalid_property()
    details = [line for line in lines if line.get("DetailType") == _DETAIL]
    if len(details) < 2:
        raise faults.business("Fill out at least two detail lines to continue.")
    missing = [
        faults.missing("AccountRef") for line in details if not line.get(_DETAIL, {}).get("AccountRef")
    ]
    if missing:
        raise faults.merged(missing)
    for line in details:
        validation.require(line[_DETAIL], "PostingType")
        validation.check_enumerations(line[_DETAIL], {"PostingType": ("Debit", "Credit")})
        if decimal_of(line.get("Amount", 0)) < ZERO:
            raise faults.business("The amount of a journal line must be 0 or greater.")
    if sum((signed_amount({**line, "Amount": decimal_of(line.get("Amount", 0))}) for line in details), ZERO):
        raise faults.business("Please balance debits and credits.")


def _complete(books: Books, line: Line, line_id: str, currency: str) -> Line:
    completed = {name: value for name, value in line.items() if name not in ("LineNum", "LinkedTxn")}
    completed["Id"] = line_id
    if line.get("DetailType") != _DETAIL:
        return completed
    detail = dict(line[_DETAIL])
    account = chart.referenced_account(books, detail["AccountRef"])
    detail["AccountRef"] = chart.account_ref(books, account)
    if "Entity" in detail:
        detail["Entity"] = _complete_entity(books, detail["Entity"])
    completed |= {"Amount": amount(decimal_of(line.get("Amount", 0))), _DETAIL: detail}
    _check_account(books, account, completed, currency)
    return completed


def _complete_entity(books: Books, entity: dict[str, Any]) -> dict[str, Any]:
    if entity.get("Type") != "Customer":
        return entity
    customer = validation.referenced(books, entity.get("EntityRef"), "Customer")
    return {"Type": "Customer", "EntityRef": {"value": customer.id, "name": customer.fields()["DisplayName"]}}


def _check_account(books: Books, account: str, line: Line, currency: str) -> None:
    chart.check_customer(books, account, customer_of(line), currency)
    if (
        books.index.accounts[account].type == chart.PAYABLE
        and line[_DETAIL].get("Entity", {}).get("Type") != "Vendor"
    ):
        raise faults.business("When you use Accounts Payable, you must choose a vendor in the Name field.")


def _check_number(books: Books, form: dict[str, Any], old: Record | None) -> None:
    if "allowautodocnum" in books.include and not form.get("DocNumber"):
        form["DocNumber"] = books.next_id("journal_number")
    number = form.get("DocNumber")
    if not number or "allowduplicatedocnum" in books.include or not _warns_of_duplicates(books):
        return
    for other in books.index.numbered("JournalEntry", number):
        if old is None or other != old.id:
            raise faults.duplicate_number(number, "Journal Entry", other)


def _warns_of_duplicates(books: Books) -> bool:
    preferences = next(books.all("Preferences"), None)
    if preferences is None:
        return False
    values = preferences.fields()["OtherPrefs"]["NameValue"]
    return {"Name": "WarnDuplicateJournalNumber", "Value": "true"} in values


def enter_again(books: Books, record: Record) -> None:
    """Enter a journal entry into the ledger."""
    form = record.fields()
    rate = Decimal(form.get("ExchangeRate", 1))
    lines = lines_of("JournalEntry", form)
    entry = [side(books, line.account, line.amount, rate, line.customer) for line in lines]
    gap = sum((posting.home for posting in entry), ZERO)
    if gap:
        exchange = chart.by_sub_type(books, "ExchangeGainOrLoss")
        entry.append(Posting(exchange, "", -gap, -gap))
    enter(books, ("JournalEntry", record.id), entry)
