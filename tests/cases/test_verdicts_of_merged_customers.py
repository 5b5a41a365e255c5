"""A customer is merged into another, or an invoice changes hands, while Peakflo has its money."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.asking import Asking, says

if TYPE_CHECKING:
    from tests.cashier import Cashier


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


def test_an_invoice_that_came_from_a_loser_without_a_version_uses_no_payment_up(
    cashier: Cashier, ask: Asking
):
    loser, winner = cashier.books.customer("Loser"), cashier.books.customer("Winner")
    cashier.books.invoice(loser, "80")
    invoice = cashier.books.invoice(winner, "100")
    cashier.books.pay(winner, "100")
    cashier.bench.sandbox.advance_clock(3000)
    cashier.bench.sync(cashier.company)
    cashier.bench.sandbox.change_settings(cashier.company.realm_id, merge_versions=False)
    cashier.bench.sandbox.merge(cashier.company.realm_id, loser, winner)

    verdict = ask(invoice)[invoice]
    assert (says(verdict), verdict.total_due) == (("hold", ["covered_by_payment"]), 180)
