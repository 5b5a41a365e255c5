from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from include.receivables.reminders.cover import Family, Money, Payer, total
from include.receivables.reminders.facts import Evidence, Facts, Freshness
from include.receivables.reminders.verdict_records import MOST_LISTED, answer
from include.receivables.reminders.verdicts import MESSAGES, Verdict, judge, unknown

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
FRESH = Freshness(NOW)
OPEN = Facts(
    invoice_id=UUID(int=1),
    qbo_id="130",
    customer_id=UUID(int=2),
    customer_qbo_id="17",
    status="sent",
    is_deleted=False,
    amount_due=Decimal("100.0000"),
    currency="USD",
    due_date=NOW.date(),
    due_date_basis="quickbooks",
    sync_token=3,
    qbo_updated_at=NOW,
    customer_status="active",
    total_due=Decimal("250.0000"),
    total_overdue=Decimal("100.0000"),
    payers=[],
    family=None,
    future_payments=[],
    unbooked=[],
    questioned=[],
    is_invoice_waiting=False,
    is_customer_waiting=False,
    missing=Decimal(0),
    has_foundlings=False,
)


def money(amount: str, *, name: str = "a", is_future: bool = False) -> Money:
    return Money(name, "1", Decimal(amount), NOW.date(), is_future)


def payer(other: str = "0", *, open: str = "250", **more: Any) -> Payer:  # noqa: A002 - the field's own name
    """Somebody who may pay, with so much other money."""
    fields = {"payments": [], "credits": [], "unbooked": [], "is_later": False} | more
    documented = total([*fields["payments"], *fields["credits"]])
    balance = Decimal(open) - documented - Decimal(other)
    return Payer(
        **{"customer_id": "c", "source_id": "17", "open": Decimal(open), "balance": balance} | fields
    )


def family(owed: str | None) -> Family:
    return Family("h", "16", Decimal(400), None if owed is None else Decimal(owed), False)


def owing(other: str = "0", **more: Any) -> dict[str, Any]:
    """The facts of an invoice whose customer alone may pay it."""
    return {"payers": [payer(other, **more)]}


OPEN = dataclasses.replace(OPEN, payers=[payer()])


def codes(verdict: Verdict) -> list[str]:
    return [reason.code for reason in verdict.reasons]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"status": "paid", "amount_due": Decimal(0)}, ["paid"]),
        ({"amount_due": Decimal(0)}, ["paid"]),
        ({"status": "cancelled", "amount_due": Decimal(0)}, ["voided"]),
        ({"status": "cancelled", "is_deleted": True}, ["deleted"]),
        ({"status": "draft"}, ["draft"]),
        ({"customer_status": "archived"}, ["customer_archived"]),
        ({"customer_status": "deleted"}, ["customer_archived"]),
        (owing(payments=[money("99.99")]), []),
        (owing(payments=[money("100")]), ["covered_by_payment"]),
        (owing(payments=[money("60"), money("40")]), ["covered_by_payment"]),
        (owing(credits=[money("100")]), ["covered_by_credit"]),
        (owing(payments=[money("60")], credits=[money("39.99")]), []),
        (owing(payments=[money("60")], credits=[money("40")]), ["covered"]),
        (
            owing(payments=[money("100")], credits=[money("100")]),
            ["covered_by_payment", "covered_by_credit"],
        ),
        (owing(payments=[money("100", is_future=True)]), ["covered_by_payment", "future_dated_payment"]),
        (owing(payments=[money("1", is_future=True)], credits=[money("100")]), ["covered_by_credit"]),
        # Other money on accounts receivable counts, and uses up what is on the other side.
        (owing("99.99"), []),
        (owing("100"), ["covered_by_other"]),
        (owing("60", payments=[money("40")]), ["covered"]),
        (owing("100", payments=[money("100")]), ["covered_by_payment", "covered_by_other"]),
        (owing("-100", credits=[money("100")]), []),
        (owing("-50", credits=[money("150")]), ["covered_by_credit"]),
        (owing("-1", payments=[money("100")]), []),
        # A parent's money counts after the customer's own, a charge of the parent does not use up the customer's.
        ({"payers": [payer(), payer("100", open="0")]}, ["covered_by_other"]),
        ({"payers": [payer("40"), payer(open="0", credits=[money("60")])]}, ["covered"]),
        ({"payers": [payer("100"), payer("-500", open="0")]}, ["covered_by_other"]),
        ({"payers": [payer("-60"), payer("100", open="0")]}, []),
        # Whoever gets the bills of a family is asked for what the family owes.
        ({"family": family(owed="400")}, []),
        ({"family": family(owed="300")}, ["covered_by_other"]),
        # What Peakflo took for this invoice and QuickBooks does not have, and what it took for nothing that is open.
        ({"unbooked": [money("100")]}, ["covered_by_payment"]),
        ({"unbooked": [money("60")]}, []),
        ({"unbooked": [money("60")]} | owing("40"), ["covered"]),
        (owing(unbooked=[money("100")]), ["covered_by_payment"]),
        (
            {"status": "paid", "amount_due": Decimal(0), "future_payments": [money("100")]},
            ["paid", "future_dated_payment"],
        ),
        # What is still open after a payment that is yet to come is owed today.
        ({"future_payments": [money("40")]}, []),
    ],
)
def test_an_invoice_is_held_for_what_pays_it_or_rules_it_out(changes: dict, expected: list[str]):
    verdict = judge(dataclasses.replace(OPEN, **changes), FRESH)

    assert codes(verdict) == expected
    assert verdict.verdict == ("hold" if expected else "send")


@pytest.mark.parametrize(
    ("freshness", "changes", "expected"),
    [
        (Freshness(None, invoice="throttled"), {}, "throttled"),
        (Freshness(NOW, customer="deadline"), {}, "deadline"),
        (Freshness(NOW, changes="quickbooks_unreachable"), {}, "quickbooks_unreachable"),
        (FRESH, {"is_invoice_waiting": True}, "not_merged"),
        (FRESH, {"is_customer_waiting": True}, "not_merged"),
        (Freshness(NOW, customer="deadline"), {"customer_status": "archived"}, "deadline"),
        (Freshness(NOW, changes="deadline"), owing(payments=[money("100")]), "deadline"),
        (FRESH, {"questioned": ["p"]}, "payment_in_question"),
        (FRESH, owing(balance=None), "unexplained_balance"),
        (FRESH, {"payers": [payer(), payer(balance=None)]}, "unexplained_balance"),
        (FRESH, {"family": family(owed=None)}, "unexplained_balance"),
        # The balance is later than the documents.
        (FRESH, owing("-1", is_later=True), "unexplained_balance"),
        (FRESH, owing("1", is_later=True), "unexplained_balance"),
        # There may be more other money by what the missing invoice asks for.
        (FRESH, {"missing": None}, "unexplained_balance"),
        (FRESH, owing("-50") | {"missing": Decimal(150)}, "unexplained_balance"),
        (FRESH, owing("50") | {"has_foundlings": True}, "unexplained_balance"),
        (FRESH, owing("-50", credits=[money("100")]) | {"has_foundlings": True}, "unexplained_balance"),
        (FRESH, {"family": family("390"), "has_foundlings": True}, "unexplained_balance"),
        (Freshness(None, invoice="deadline"), {"status": "paid", "amount_due": Decimal(0)}, "deadline"),
    ],
)
def test_what_was_not_read_is_unknown(freshness: Freshness, changes: dict, expected: str):
    verdict = judge(dataclasses.replace(OPEN, **changes), freshness)

    assert verdict.verdict == "unknown"
    assert codes(verdict) == [expected]
    assert (verdict.amount_due, verdict.total_due, verdict.expires_at) == (None, None, None)


@pytest.mark.parametrize(
    ("freshness", "changes", "expected"),
    [
        (Freshness(NOW, customer="deadline", changes="deadline"), {"is_deleted": True}, "deleted"),
        (Freshness(NOW, changes="throttled"), {"status": "paid", "amount_due": Decimal(0)}, "paid"),
        (Freshness(NOW, changes="throttled"), {"customer_status": "archived"}, "customer_archived"),
    ],
)
def test_what_the_invoice_itself_rules_out_is_held_although_other_reads_failed(
    freshness: Freshness, changes: dict, expected: str
):
    verdict = judge(dataclasses.replace(OPEN, **changes), freshness)

    assert (verdict.verdict, codes(verdict)) == ("hold", [expected])
    assert verdict.total_due is None


def test_a_verdict_is_good_for_ten_minutes_from_the_reading():
    assert judge(OPEN, FRESH).expires_at == NOW + timedelta(minutes=10)


@pytest.mark.parametrize(
    "changes",
    [
        owing(is_later=True),
        owing("100", is_later=True),
        owing("100") | {"missing": None},
        owing("-50") | {"missing": Decimal(149)},
        {"has_foundlings": True},
        {"family": family("400"), "has_foundlings": True},
        {"questioned": ["p"], "unbooked": [money("100")]},
        owing(balance=None, payments=[money("100")]),
    ],
)
def test_what_is_explained_or_covered_anyway_is_not_unknown(changes: dict):
    assert judge(dataclasses.replace(OPEN, **changes), FRESH).verdict != "unknown"


def test_a_verdict_can_be_judged_again_from_its_evidence():
    facts = dataclasses.replace(OPEN, **owing("60", payments=[money("40")]), family=family(owed="400"))
    verdict = judge(facts, FRESH)

    kept = Evidence.from_json(json.loads(json.dumps(verdict.evidence)))

    assert judge(kept.facts, kept.freshness) == verdict


def test_the_evidence_names_what_covers_the_invoice():
    covering = money("100", name="payment-1")
    verdict = judge(dataclasses.replace(OPEN, **owing(payments=[covering])), FRESH)

    assert verdict.reasons[0].as_json() == {
        "code": "covered_by_payment",
        "message": MESSAGES["covered_by_payment"],
        "ids": ["payment-1"],
    }
    assert verdict.evidence["payers"][0]["payments"][0]["id"] == "payment-1"
    assert (verdict.evidence["qbo_id"], verdict.evidence["amount_due"]) == ("130", "100.0000")


def test_each_reason_has_a_sentence():
    assert all(sentence.endswith(".") and sentence[0].isupper() for sentence in MESSAGES.values())


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("100.0000", "100.00"),
        ("0.0000", "0.00"),
        ("7020.5", "7020.50"),
        ("1.2340", "1.234"),
        ("1E+3", "1000.00"),
    ],
)
def test_amounts_are_written_as_a_mail_prints_them(amount: str, text: str):
    verdict = judge(dataclasses.replace(OPEN, amount_due=Decimal(amount) or Decimal("0.0000")), FRESH)

    [entry] = answer("run", "acme", Judged([verdict]))["verdicts"]

    assert entry["amount_due"] == text


def test_an_answer_lists_a_thousand_verdicts_those_to_send_first():
    verdicts = [unknown(UUID(int=number), "deadline") for number in range(MOST_LISTED)]
    verdicts.append(judge(OPEN, FRESH))

    answered = answer("run", "acme", Judged(verdicts))

    assert (answered["send"], answered["hold"], answered["unknown"]) == (1, 0, MOST_LISTED)
    assert len(answered["verdicts"]) == MOST_LISTED
    assert answered["verdicts"][0]["verdict"] == "send"
    assert answered["left_out"] == 1


@dataclasses.dataclass(frozen=True)
class Judged:
    """A judgement without an error."""

    verdicts: list[Verdict]
    error: None = None
    cause: str = ""
