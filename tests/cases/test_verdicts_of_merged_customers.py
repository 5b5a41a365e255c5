"""A customer is merged into another, or an invoice changes hands, while Peakflo has its money."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.asking import Asking, says
from tests.support.quick_start import let_an_hour_pass

if TYPE_CHECKING:
    from tests.support.cashier import Cashier


@pytest.fixture
def ask(cashier: Cashier) -> Asking:
    return Asking(cashier.bench, cashier.company)


@pytest.mark.parametrize("has_new_versions", [True, False])
def test_a_payment_taken_for_the_losers_invoice_covers_it(
    cashier: Cashier, ask: Asking, has_new_versions: bool
):
    [invoice, other] = cashier.invoices(2)
    loser = cashier.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"]
    winner = cashier.books.customer("Winner")
    cashier.take(invoice)
    cashier.bench.sandbox.change_settings(cashier.company.realm_id, merge_versions=has_new_versions)
    cashier.bench.sandbox.merge(cashier.company.realm_id, loser, winner)

    assert ask.about(invoice["source_id"]) == ("hold", ["covered_by_payment"])
    assert ask.about(other["source_id"]) == ("send", [])
    by_old_id = ask(customers=(loser,))
    assert {qbo_id: says(verdict)[0] for qbo_id, verdict in by_old_id.items()} == {
        invoice["source_id"]: "hold",
        other["source_id"]: "send",
    }


def test_a_payment_taken_for_an_invoice_that_was_given_to_another_covers_it(cashier: Cashier, ask: Asking):
    [invoice] = cashier.invoices(1, "80")
    cashier.take(invoice, "80")
    other = cashier.books.customer("Other")

    cashier.books.change("Invoice", invoice["source_id"], CustomerRef={"value": other})

    assert ask.about(invoice["source_id"]) == ("hold", ["covered_by_payment"])


def test_money_of_a_loser_for_no_invoice_covers_what_the_winner_owes(cashier: Cashier, ask: Asking):
    [invoice] = cashier.invoices(1)
    loser = cashier.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"]
    winner = cashier.books.customer("Winner")
    payment = cashier.take(invoice)
    cashier.bench.db.execute("delete from peakflo.payment_allocation where payment_id = %s", [payment])
    cashier.bench.sandbox.merge(cashier.company.realm_id, loser, winner)
    cashier.bench.sync(cashier.company)

    assert ask.about(invoice["source_id"]) == ("hold", ["covered_by_payment"])


@pytest.fixture
def moved(cashier: Cashier) -> tuple[str, str]:
    """Two open invoices: one goes over to the other's customer, who has paid that one, without a version of its own."""
    loser, winner = cashier.books.customer("Loser"), cashier.books.customer("Winner")
    moving, paid = cashier.books.invoice(loser, "80"), cashier.books.invoice(winner, "100")
    cashier.books.pay(winner, "100")
    sandbox, realm_id = cashier.bench.sandbox, cashier.company.realm_id
    sandbox.advance_clock(3000)
    cashier.bench.sync(cashier.company)
    sandbox.change_settings(realm_id, merge_versions=False)
    sandbox.merge(realm_id, loser, winner)
    return moving, paid


def test_an_invoice_that_came_from_a_loser_without_a_version_uses_no_payment_up(
    moved: tuple[str, str], ask: Asking
):
    _, paid = moved

    verdict = ask(paid)[paid]
    assert (says(verdict), verdict.total_due) == (("hold", ["covered_by_payment"]), 180)


def test_nor_does_one_that_could_not_be_read_since(cashier: Cashier, moved: tuple[str, str], ask: Asking):
    moving, paid = moved
    sandbox, realm_id = cashier.bench.sandbox, cashier.company.realm_id
    sandbox.poison(realm_id, "Invoice", moving)
    for _ in range(3):
        [verdict] = ask.judgement(paid).verdicts
        assert (says(verdict), verdict.total_due) == (("unknown", ["unexplained_balance"]), None)
        sandbox.advance_clock(3000)
        cashier.bench.sync(cashier.company)

    sandbox.serve_truth(realm_id)
    let_an_hour_pass(cashier.bench.db)
    cashier.bench.sync(cashier.company)

    assert ask.about(paid) == ("hold", ["covered_by_payment"])


def test_nor_does_one_whose_reading_failed_again_and_again(
    cashier: Cashier, moved: tuple[str, str], ask: Asking
):
    _, paid = moved
    sandbox, realm_id = cashier.bench.sandbox, cashier.company.realm_id
    for _ in range(3):
        sandbox.add_fault("500", realm=realm_id, path="query", entity="Invoice")
        assert ask.about(paid)[0] == "unknown"
        sandbox.clear_faults()
        sandbox.advance_clock(3000)

    assert ask.about(paid) == ("hold", ["covered_by_payment"])


def test_a_customer_that_was_inactive_for_a_while_leaves_nothing_in_doubt(cashier: Cashier, ask: Asking):
    [invoice] = cashier.invoices(1)
    customer = cashier.books.customer("Resting")
    cashier.bench.sync(cashier.company)
    cashier.books.change("Customer", customer, Active=False)
    assert ask.about(invoice["source_id"]) == ("send", [])
    cashier.books.change("Customer", customer, Active=True)
    cashier.books.invoice(customer, "50")

    verdict = ask(invoice["source_id"])[invoice["source_id"]]

    assert (says(verdict), verdict.total_due) == (("send", []), 100)
