"""Journal entries of Peakflo's that somebody touches in QuickBooks, whether or not their payment is touched as well."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from include.errors import ThrottledError, UnreachableError
from include.receivables.outbound.situation import read_situation
from include.receivables.views import deliveries
from tests.support.payment_steps import delivered, ignore, retry, take_up

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from tests.support.cashier import Cashier, Json

BEYOND_OVERLAP = 900  # seconds; each sync reads the last ten minutes again


@pytest.fixture
def charged(cashier: Cashier) -> UUID:
    """A delivered payment with a processing fee only, which its journal entry books beside it."""
    payment_id = delivered(cashier, processing_fee="3.20")
    assert cashier.problems() == []
    return payment_id


def entry(cashier: Cashier, payment_id: UUID) -> str:
    """Return QuickBooks' id of a payment's journal entry."""
    return str(cashier.record(payment_id, "journal_entry")["qbo_id"])


def write_lines(cashier: Cashier, qbo_id: str, amounts: dict[str, str]) -> None:
    """Change the amounts of a journal entry's lines."""
    lines = cashier.books.read("JournalEntry", qbo_id)["Line"]
    changed = [
        {**line, "Amount": amounts.get(f"{Decimal(str(line['Amount'])):.2f}", line["Amount"])}
        for line in lines
    ]
    cashier.books.change("JournalEntry", qbo_id, Line=changed)


def edit(cashier: Cashier, qbo_id: str) -> None:
    write_lines(cashier, qbo_id, {"3.20": "4.20"})


def void(cashier: Cashier, qbo_id: str) -> None:
    """Void a journal entry as QuickBooks' own pages do: its amounts become zero."""
    write_lines(cashier, qbo_id, {"3.20": "0"})


def delete(cashier: Cashier, qbo_id: str) -> None:
    cashier.books.delete("JournalEntry", qbo_id)


def of_others(cashier: Cashier) -> Json:
    """Return a journal entry that has nothing to do with Peakflo."""
    detail = {"AccountRef": {"value": cashier.account("Checking")}}
    return {
        "Line": [
            {
                "Amount": 5,
                "DetailType": "JournalEntryLineDetail",
                "JournalEntryLineDetail": {"PostingType": side, **detail},
            }
            for side in ("Debit", "Credit")
        ]
    }


def read(cashier: Cashier) -> None:
    """Read what was done in QuickBooks, and look at what that means."""
    cashier.bench.sync(cashier.company)
    cashier.push()


TOUCHES: dict[str, Callable[[Cashier, str], None]] = {"edited": edit, "voided": void, "deleted": delete}


def problem(cashier: Cashier, payment_id: UUID) -> Json:
    [found] = cashier.rows("sync.problem", peakflo_id=payment_id, state="open")
    return found


@pytest.mark.parametrize("touched", TOUCHES)
def test_an_entry_that_was_touched_in_quickbooks_is_a_problem_in_the_same_cycle(
    cashier: Cashier, charged: UUID, touched: str
):
    before = cashier.rows("peakflo.payment", id=charged)
    TOUCHES[touched](cashier, entry(cashier, charged))
    assert cashier.bench.sync(cashier.company).calls == 1
    assert cashier.push().calls == 0
    found = problem(cashier, charged)
    assert found["code"] == f"{touched}_in_quickbooks"
    assert (
        f"JournalEntry {entry(cashier, charged)}, which Peakflo created, was {touched} in QuickBooks by hand"
        in found["message"]
    )
    assert (found["actor"], found["cure"].endswith(".")) == ("bookkeeper", True)
    assert cashier.rows("peakflo.payment", id=charged) == before


def test_an_entry_that_was_put_right_again_is_no_problem_any_more(cashier: Cashier, charged: UUID):
    edit(cashier, entry(cashier, charged))
    read(cashier)
    assert cashier.problems() == ["edited_in_quickbooks"]
    write_lines(cashier, entry(cashier, charged), {"4.20": "3.20"})
    read(cashier)
    assert cashier.problems() == []


def test_an_entry_whose_note_was_changed_is_a_problem_that_says_so(cashier: Cashier, charged: UUID):
    cashier.books.change("JournalEntry", entry(cashier, charged), PrivateNote="checked")
    read(cashier)
    assert cashier.problems() == ["edited_in_quickbooks"]
    assert "note checked instead of" in problem(cashier, charged)["message"]


@pytest.mark.parametrize("journal_versions", [False, True])
def test_an_entry_that_its_payment_links_is_no_problem_until_it_is_touched(
    cashier: Cashier, journal_versions: bool
):
    cashier.bench.sandbox.change_settings(cashier.company.realm_id, journal_versions=journal_versions)
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, "99", rounding_amount="1")
    cashier.push()
    read(cashier)
    assert cashier.problems() == []
    delete(cashier, entry(cashier, payment_id))
    read(cashier)
    assert sorted(cashier.problems()) == ["deleted_in_quickbooks", "edited_in_quickbooks"]


@pytest.mark.parametrize("is_linked", [False, True])
def test_an_entry_edited_before_its_answer_was_recorded_is_a_problem_until_it_is_put_right(
    cashier: Cashier, is_linked: bool
):
    [invoice] = cashier.invoices(1)
    columns = {"amount": "96.80", "rounding_amount": "3.20"} if is_linked else {"processing_fee": "3.20"}
    payment_id = cashier.take(invoice, **columns)
    realm = cashier.company.realm_id
    cashier.bench.sandbox.add_fault("lost_answer", realm=realm, path="journalentry", method="POST", count=1)
    cashier.bench.sandbox.add_fault("500", realm=realm, path="query")
    with pytest.raises(UnreachableError):
        cashier.push()
    cashier.bench.sandbox.clear_faults()
    [[record]] = cashier.in_quickbooks("JournalEntry").values()
    edit(cashier, record["Id"])
    read(cashier)
    assert cashier.problems() == ["edited_in_quickbooks"]
    # What the payment links has to be right first, else QuickBooks would settle the invoice otherwise.
    assert cashier.states(payment_id).get("payment") == (None if is_linked else ["made"])
    write_lines(cashier, record["Id"], {"4.20": "3.20"})
    read(cashier)
    assert cashier.states(payment_id) == {"payment": ["made"], "journal_entry": ["made"]}
    assert cashier.problems() == []


def test_an_entry_that_peakflo_itself_deletes_is_no_problem(cashier: Cashier, charged: UUID):
    cashier.cancel(charged)
    for _ in range(2):
        cashier.push()
        assert cashier.standing(charged) == ("agrees", "cancelled")
        cashier.bench.sync(cashier.company)
    assert cashier.in_quickbooks("JournalEntry") == {}
    assert cashier.problems() == []


def test_a_payment_taken_up_again_before_its_undoing_is_read_gets_another_entry(
    cashier: Cashier, charged: UUID
):
    cashier.cancel(charged)
    cashier.push()
    take_up(cashier, charged)
    cashier.push()
    assert cashier.states(charged) == {"payment": ["undone", "made"], "journal_entry": ["undone", "made"]}
    read(cashier)
    assert len(cashier.in_quickbooks("JournalEntry")) == 1
    assert cashier.problems() == []


def test_entries_of_others_reach_nothing_of_peakflo(cashier: Cashier):
    before = cashier.rows("peakflo.payment")
    cashier.bench.sandbox.advance_clock(BEYOND_OVERLAP)
    other = cashier.books.write("JournalEntry", **of_others(cashier))["Id"]
    assert cashier.bench.sync(cashier.company).calls == 1
    cashier.books.delete("JournalEntry", other)
    assert cashier.bench.sync(cashier.company).calls == 1
    assert cashier.problems() == []
    assert cashier.rows("peakflo.payment") == before
    assert cashier.rows("staging.unmerged") == []


def test_more_deleted_entries_than_are_believed_of_other_records_stop_nothing(cashier: Cashier):
    made = cashier.books.batch("create", "JournalEntry", [of_others(cashier)] * 30)
    cashier.bench.sync(cashier.company)
    cashier.books.batch("delete", "JournalEntry", [{"Id": each["Id"], "SyncToken": "0"} for each in made])
    cashier.bench.sync(cashier.company)


def test_a_full_answer_hides_no_touched_entry(cashier: Cashier, charged: UUID):
    cashier.bench.sandbox.advance_clock(BEYOND_OVERLAP)
    cashier.bench.sandbox.change_settings(
        cashier.company.realm_id, cdc_cap_scope="response", cdc_keeps="live_first"
    )
    customer = cashier.books.customer("Ada")
    new = ({"CustomerRef": {"value": customer}, "TotalAmt": 10} for _ in range(1100))
    cashier.books.batch("create", "Payment", new)
    delete(cashier, entry(cashier, charged))
    read(cashier)
    assert cashier.problems() == ["deleted_in_quickbooks"]


@pytest.mark.parametrize("touched", TOUCHES)
def test_an_answer_full_of_entries_hides_no_touched_one(cashier: Cashier, charged: UUID, touched: str):
    cashier.bench.sandbox.advance_clock(BEYOND_OVERLAP)
    cashier.books.batch("create", "JournalEntry", [of_others(cashier)] * 1000)
    TOUCHES[touched](cashier, entry(cashier, charged))
    read(cashier)
    assert cashier.problems() == [f"{touched}_in_quickbooks"]


@pytest.mark.parametrize("touched", TOUCHES)
def test_an_import_finds_an_entry_that_was_touched_long_ago(cashier: Cashier, charged: UUID, touched: str):
    TOUCHES[touched](cashier, entry(cashier, charged))
    cashier.bench.sandbox.advance_clock(31 * 86_400)
    cashier.bench.import_all(cashier.company)
    cashier.push()
    assert cashier.problems() == [f"{touched}_in_quickbooks"]


def test_an_import_reads_no_entries_of_others(cashier: Cashier):
    cashier.bench.sandbox.reset_calls(cashier.company.realm_id)
    cashier.bench.import_all(cashier.company)
    assert "query:JournalEntry" not in cashier.bench.sandbox.calls(cashier.company.realm_id)["by_path"]


def test_a_deleted_fee_is_entered_again_once_when_a_person_retries_it(cashier: Cashier, charged: UUID):
    first = entry(cashier, charged)
    delete(cashier, first)
    read(cashier)
    retry(cashier, charged)
    cashier.push()
    assert cashier.states(charged) == {"payment": ["made"], "journal_entry": ["gone", "made"]}
    assert cashier.record(charged, "journal_entry")["request_id"].endswith("-g1")
    [[record]] = cashier.in_quickbooks("JournalEntry").values()
    assert record["Id"] == entry(cashier, charged) != first
    [[payment]] = cashier.in_quickbooks().values()
    assert payment["Id"] == cashier.record(charged)["qbo_id"]
    read(cashier)
    assert cashier.problems() == []


def test_a_fee_that_is_entered_again_settles_no_problem_of_its_payment(cashier: Cashier, charged: UUID):
    cashier.books.allocate(cashier.record(charged)["qbo_id"])
    delete(cashier, entry(cashier, charged))
    read(cashier)
    retry(cashier, charged)
    cashier.push()
    assert cashier.states(charged) == {"payment": ["made"], "journal_entry": ["gone", "made"]}
    assert cashier.problems() == ["edited_in_quickbooks"]


def test_a_deleted_fee_that_quickbooks_turns_away_at_first_is_entered_again_with_the_next_push(
    cashier: Cashier, charged: UUID
):
    delete(cashier, entry(cashier, charged))
    read(cashier)
    retry(cashier, charged)
    realm = cashier.company.realm_id
    cashier.bench.sandbox.add_fault("429", realm=realm, path="journalentry", method="POST", count=1)
    with pytest.raises(ThrottledError):
        cashier.push()
    cashier.push()
    assert cashier.states(charged) == {"payment": ["made"], "journal_entry": ["gone", "made"]}
    assert len(cashier.in_quickbooks("JournalEntry")) == 1


def test_a_deleted_fee_that_quickbooks_refuses_at_first_is_entered_again_once_its_cause_is_gone(
    cashier: Cashier, charged: UUID
):
    delete(cashier, entry(cashier, charged))
    read(cashier)
    for closed_until, states in (
        ("2026-01-31", ["gone", "refused"]),
        ("2025-12-31", ["gone", "refused", "made"]),
    ):
        cashier.books.change("Preferences", "1", AccountingInfoPrefs={"BookCloseDate": closed_until})
        retry(cashier, charged)
        cashier.push()
        assert cashier.states(charged)["journal_entry"] == states
    assert len(cashier.in_quickbooks("JournalEntry")) == 1
    read(cashier)
    assert cashier.problems() == []


def test_a_deleted_fee_waits_while_two_way_sync_is_off(cashier: Cashier, charged: UUID):
    delete(cashier, entry(cashier, charged))
    read(cashier)
    deliveries.set_auto_sync(cashier.bench.db, cashier.company, is_on=False)
    retry(cashier, charged)
    cashier.push()
    assert cashier.standing(charged) == ("waits", "auto_sync_off")
    assert cashier.in_quickbooks("JournalEntry") == {}
    deliveries.set_auto_sync(cashier.bench.db, cashier.company, is_on=True)
    shown = deliveries.dry_run(read_situation(cashier.bench.db, cashier.company, charged))
    cashier.push()
    assert len(cashier.in_quickbooks("JournalEntry")) == 1
    [request] = shown["requests"]
    assert request["request_id"] == cashier.record(charged, "journal_entry")["request_id"]


def test_a_deleted_fee_that_a_person_ignores_stays_deleted(cashier: Cashier, charged: UUID):
    delete(cashier, entry(cashier, charged))
    read(cashier)
    ignore(cashier, charged)
    cashier.push()
    read(cashier)
    assert cashier.in_quickbooks("JournalEntry") == {}
    assert cashier.problems() == []
    assert cashier.standing(charged) == ("ignored", "deleted_in_quickbooks")
