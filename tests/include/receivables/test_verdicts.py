from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from include.receivables.verdict_records import MOST_LISTED, answer
from include.receivables.verdicts import MESSAGES, Facts, Freshness, Verdict, judge, unknown

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
    sync_token=3,
    qbo_updated_at=NOW,
    customer_status="active",
    total_due=Decimal("250.0000"),
    total_overdue=Decimal("100.0000"),
    payments=[],
    credits=[],
    future_payments=[],
    is_invoice_waiting=False,
    is_customer_waiting=False,
)


def money(amount: str, *, name: str = "a", is_future: bool = False) -> dict:
    return {"id": name, "source_id": "1", "amount": amount, "date": "2026-11-25", "is_future": is_future}


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
        ({"payments": [money("99.99")]}, []),
        ({"payments": [money("100")]}, ["covered_by_payment"]),
        ({"payments": [money("60"), money("40")]}, ["covered_by_payment"]),
        ({"credits": [money("100")]}, ["covered_by_credit"]),
        ({"payments": [money("60")], "credits": [money("39.99")]}, []),
        ({"payments": [money("60")], "credits": [money("40")]}, ["covered"]),
        (
            {"payments": [money("100")], "credits": [money("100")]},
            ["covered_by_payment", "covered_by_credit"],
        ),
        ({"payments": [money("100", is_future=True)]}, ["covered_by_payment", "future_dated_payment"]),
        ({"payments": [money("1", is_future=True)], "credits": [money("100")]}, ["covered_by_credit"]),
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
        (Freshness(NOW, changes="deadline"), {"payments": [money("100")]}, "deadline"),
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


def test_the_evidence_names_what_covers_the_invoice():
    covering = money("100", name="payment-1")
    verdict = judge(dataclasses.replace(OPEN, payments=[covering]), FRESH)

    assert verdict.reasons[0].as_json() == {
        "code": "covered_by_payment",
        "message": MESSAGES["covered_by_payment"],
        "ids": ["payment-1"],
    }
    assert verdict.evidence["unapplied_payments"] == [covering]
    assert (verdict.evidence["qbo_id"], verdict.evidence["balance"]) == ("130", "100.0000")


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
