"""The JSON that leaves for QuickBooks, to the byte: whoever changes it changes how money is booked."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from unicodedata import category
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.quickbooks.writing import encode
from include.receivables.outbound import payloads
from include.receivables.outbound.payloads import (
    Accounts,
    CreditUse,
    LinkedEntry,
    OutgoingPayment,
    Settlement,
)

GOLDEN = Path(__file__).parent / "golden"
PAYMENT_ID = UUID("6f1c2a53-9b0e-4c37-8f5d-2e7a1b90c4d8")
ENTRY = LinkedEntry("901")

PARTIAL = OutgoingPayment(
    payment_id=PAYMENT_ID,
    customer_qbo_id="58",
    payment_date=date(2026, 11, 20),
    amount=Decimal("60.0000"),
    currency="USD",
    accounts=Accounts(deposit="35"),
    settlements=(Settlement("130", Decimal("60.0000")),),
    method_qbo_id="6",
    reference="TT-4711",
    note="Paid by bank transfer",
)
FEE = replace(PARTIAL, processing_fee=Decimal("1.74"), accounts=Accounts(deposit="35", processing_fees="17"))
WITHHOLDING = replace(
    PARTIAL,
    settlements=(
        Settlement("130", Decimal(60), Decimal("2.00"), "PPh 23"),
        Settlement("130", Decimal(0), Decimal("1.00"), "PPh 4(2)"),
    ),
    accounts=Accounts(deposit="35", receivable="3", withholding_tax={"PPh 23": "5", "PPh 4(2)": "6"}),
)
ROUNDING = replace(
    PARTIAL,
    settlements=(Settlement("130", Decimal(60), rounding=Decimal("0.03")),),
    accounts=Accounts(deposit="35", receivable="3", rounding="18"),
)
FOREIGN = replace(PARTIAL, currency="EUR", is_foreign=True, exchange_rate=Decimal("1.0873000000"))

CASES = {
    "partial": PARTIAL,
    "split": replace(
        PARTIAL, settlements=(Settlement("130", Decimal("45.5")), Settlement("131", Decimal("14.5")))
    ),
    "credit_applied": replace(
        PARTIAL,
        settlements=(Settlement("130", Decimal(85)),),
        credits_used=(CreditUse("77", Decimal(25)),),
    ),
    "credit_only": replace(
        PARTIAL,
        amount=Decimal(0),
        accounts=Accounts(deposit=""),
        settlements=(Settlement("130", Decimal(25)),),
        credits_used=(CreditUse("77", Decimal(25)),),
        method_qbo_id=None,
    ),
    "unapplied_remainder": replace(PARTIAL, settlements=(Settlement("130", Decimal(40)),)),
    "nothing_applied": replace(PARTIAL, settlements=(), reference=None, note=None, method_qbo_id=None),
    "foreign_currency": FOREIGN,
    "foreign_currency_at_the_rate_of_the_day": replace(FOREIGN, exchange_rate=None),
    "fee": FEE,
    "withholding": WITHHOLDING,
    "rounding": ROUNDING,
    "rounding_in_favour": replace(
        ROUNDING, settlements=(Settlement("130", Decimal(60), rounding=Decimal("-0.02")),)
    ),
    "rounding_that_evens_out": replace(
        ROUNDING,
        settlements=(
            Settlement("130", Decimal(30), Decimal("0.05"), "PPh 23", Decimal("-0.05")),
            Settlement("131", Decimal(30)),
        ),
        accounts=Accounts(deposit="35", receivable="3", rounding="18", withholding_tax={"PPh 23": "5"}),
    ),
    "wallet": replace(PARTIAL, accounts=Accounts(deposit="44")),
    "all_together": replace(
        FOREIGN,
        settlements=(
            Settlement("130", Decimal(50), Decimal("1.50"), "PPh 23", Decimal("0.01")),
            Settlement("131", Decimal(20), Decimal("0.40"), "PPh 23"),
        ),
        credits_used=(CreditUse("77", Decimal(12)),),
        processing_fee=Decimal("2.05"),
        accounts=Accounts("44", "3", "17", "18", {"PPh 23": "5"}),
    ),
}


def documents(outgoing: OutgoingPayment) -> dict[str, str]:
    """Return the bodies that a payment becomes, as they are sent."""
    bodies = {}
    if payloads.needs_adjustment(outgoing):
        bodies["JournalEntry"] = payloads.adjustment(outgoing)
    bodies["Payment"] = payloads.payment(outgoing, ENTRY)
    return {name: encode(body).decode() for name, body in bodies.items()}


@pytest.mark.parametrize("case", CASES)
def test_a_payment_becomes_the_json_on_file(case):
    members = ",".join(f'"{name}":{body}' for name, body in documents(CASES[case]).items())

    written = msgspec.json.format(f"{{{members}}}", indent=2)

    assert written + "\n" == (GOLDEN / f"{case}.json").read_text(encoding="utf-8")


def test_every_golden_file_is_of_a_case():
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(CASES)


@pytest.mark.parametrize("case", CASES)
def test_the_same_payment_gives_the_same_bytes(case):
    assert documents(CASES[case]) == documents(replace(CASES[case]))


CENTS = st.integers(0, 10**9).map(lambda cents: Decimal(cents) / 100)
SETTLEMENTS = st.lists(
    st.builds(
        Settlement,
        qbo_id=st.sampled_from(["130", "131", "132"]),
        amount=CENTS.filter(bool),
        withholding_tax=CENTS,
        withholding_tax_type=st.sampled_from(["", "PPh 23", "VAT"]),
        rounding=st.sampled_from([Decimal(0), Decimal("0.01"), Decimal("-0.01")]),
    ),
    max_size=4,
)


@st.composite
def outgoing_payments(draw) -> OutgoingPayment:
    """A payment whose money and credits suffice for what they are applied to."""
    settlements = tuple(draw(SETTLEMENTS))
    applied = sum((part.amount for part in settlements), Decimal(0))
    credit = min(draw(CENTS), applied)
    amount = applied - credit + draw(CENTS)
    return replace(
        PARTIAL,
        amount=amount,
        settlements=settlements,
        credits_used=(CreditUse("77", credit),) if credit else (),
        processing_fee=min(draw(CENTS), amount),
        accounts=Accounts("35", "3", "17", "18", {"": "5", "PPh 23": "6", "VAT": "7"}),
    )


def journal(outgoing: OutgoingPayment) -> dict[str, Decimal]:
    """Return what the journal entry adds to each account."""
    moves: dict[str, Decimal] = defaultdict(Decimal)
    for line in payloads.adjustment(outgoing)["Line"] if payloads.needs_adjustment(outgoing) else []:
        detail = line["JournalEntryLineDetail"]
        assert line["Amount"] > 0
        sign = 1 if detail["PostingType"] == "Debit" else -1
        moves[detail["AccountRef"]["value"]] += sign * line["Amount"]
    return moves


@given(outgoing_payments())
def test_the_journal_entry_balances_and_moves_each_account_by_what_was_kept_back(outgoing):
    moves = journal(outgoing)

    assert sum(moves.values()) == 0
    assert moves["35"] == -outgoing.processing_fee
    assert moves["17"] == outgoing.processing_fee
    assert moves["18"] == sum(part.rounding for part in outgoing.settlements)
    assert moves["5"] + moves["6"] + moves["7"] == sum(part.withholding_tax for part in outgoing.settlements)
    assert moves["3"] == -outgoing.written_off


@given(outgoing_payments())
def test_each_invoice_is_settled_in_full_and_the_rest_stays_unapplied(outgoing):
    record = payloads.payment(outgoing, ENTRY)
    lines = {line["LinkedTxn"][0]["TxnId"]: line["Amount"] for line in record["Line"]}

    assert len(lines) == len(record["Line"])
    for qbo_id in {part.qbo_id for part in outgoing.settlements}:
        assert lines[qbo_id] == sum(part.total for part in outgoing.settlements if part.qbo_id == qbo_id)
    settled = sum(lines.get(qbo_id, 0) for qbo_id in ("130", "131", "132"))
    linked = lines.get("901", Decimal(0)).copy_sign(outgoing.written_off)
    applied = sum(part.amount for part in outgoing.settlements)
    unapplied = record["TotalAmt"] + lines.get("77", 0) + linked - settled
    assert unapplied == outgoing.amount + sum(used.amount for used in outgoing.credits_used) - applied >= 0


def test_amounts_are_numbers_with_the_digits_they_have():
    outgoing = replace(PARTIAL, amount=Decimal("12345678901234.1000"), settlements=())

    assert b'"TotalAmt":12345678901234.10,' in encode(payloads.payment(outgoing))


def test_a_payment_that_links_a_journal_entry_cannot_go_before_it():
    with pytest.raises(ValueError, match="delivered first"):
        payloads.payment(WITHHOLDING)


def test_a_payment_without_fee_tax_and_rounding_has_no_journal_entry():
    assert not payloads.needs_adjustment(PARTIAL)
    with pytest.raises(ValueError, match="no fee"):
        payloads.adjustment(PARTIAL)


def test_a_journal_entry_over_a_fee_only_is_not_linked():
    assert payloads.payment(FEE) == payloads.payment(FEE, ENTRY)
    assert [line["LinkedTxn"][0]["TxnType"] for line in payloads.payment(FEE)["Line"]] == ["Invoice"]


def test_request_ids_tell_document_generation_and_undoing_apart_and_fit():
    payment_id = uuid4()
    ids = {
        payloads.request_id(payment_id, document, generation, undo_count)
        for document in ("payment", "journal_entry")
        for generation in (0, 1, 1234)
        for undo_count in (0, 1, 1234)
    }

    assert len(ids) == 18
    assert max(map(len, ids)) <= 50
    assert payloads.request_id(PAYMENT_ID, "payment") == "pf-p-6f1c2a539b0e4c378f5d2e7a1b90c4d8"
    assert payloads.request_id(PAYMENT_ID, "journal_entry", 2) == "pf-j-6f1c2a539b0e4c378f5d2e7a1b90c4d8-g2"
    assert payloads.request_id(PAYMENT_ID, "payment", 2, 1).endswith("c4d8-g2-u1")


def test_reference_numbers_are_short_and_of_one_payment_each():
    numbers = {payloads.reference_number(uuid4()) for _ in range(1000)}

    assert len(numbers) == 1000
    assert all(re.fullmatch("PF[A-Z2-7]{16}", number) for number in numbers)
    assert payloads.reference_number(PAYMENT_ID) == payloads.reference_number(UUID(str(PAYMENT_ID)))


def test_a_long_note_is_cut_but_never_its_marker():
    note = payloads.payment(replace(PARTIAL, note="long " * 2000))["PrivateNote"]

    assert len(note) <= 4000
    assert note.startswith("long long")
    assert note.endswith(f" · Peakflo payment {PAYMENT_ID}")


@given(note=st.text(max_size=5000), reference=st.text(max_size=50))
def test_a_note_holds_nothing_that_quickbooks_cannot_take(note: str, reference: str):
    written = payloads.payment(replace(PARTIAL, note=note, reference=reference or None))["PrivateNote"]

    assert len(written.encode("utf-16-le")) <= 2 * 4000
    assert all(sign.isprintable() or category(sign) == "Zs" for sign in written)
    assert written.endswith(f"Peakflo payment {PAYMENT_ID}")


def test_a_note_keeps_all_words_of_people_and_loses_emoji_and_controls():
    note = payloads.payment(replace(PARTIAL, note="Grüße \U0001f389 从 Ada\x07\nthanks", reference=None))[
        "PrivateNote"
    ]

    assert note.startswith("Grüße  从 Ada thanks · ")
