from __future__ import annotations

import argparse
import json
import logging
from typing import TYPE_CHECKING

import pytest

from include.cli.delivery import add_delivery_commands
from include.errors import ConfigurationError
from tests.support.bookkeeper import Bookkeeper
from tests.support.cashier import Cashier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from include.receivables.company.access import Access
    from tests.support.workbench import Workbench


@pytest.fixture
def cashier(access: Access, bench: Workbench) -> Iterator[Cashier]:
    company = bench.imported("demo", company_id="acme")
    bench.sandbox.change_settings(company.realm_id, throttle="off")
    with Bookkeeper(bench.sandbox, company.realm_id) as books:
        yield Cashier(bench, company, books)


@pytest.fixture
def run(access: Access, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command, and return what it prints."""

    def command(*arguments: str) -> str:
        parser = argparse.ArgumentParser()
        add_delivery_commands(parser.add_subparsers(required=True))
        options = parser.parse_args(arguments)
        capsys.readouterr()
        options.command(options)
        return capsys.readouterr().out

    return command


def test_a_dry_run_prints_exactly_what_is_then_sent_and_sends_nothing(
    cashier: Cashier, run: Callable[..., str]
):
    cashier.map_accounts()
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    delivery_id = str(cashier.delivery(payment_id)["delivery_id"])
    before = cashier.rows("outbox.delivery")
    cashier.bench.sandbox.reset_calls(cashier.company.realm_id)

    answer = json.loads(run("delivery", "dry-run", "acme", delivery_id, "--json"))

    assert answer["answer"] == "ready"
    assert cashier.bench.sandbox.calls(cashier.company.realm_id)["by_status"] == {}
    assert cashier.rows("outbox.delivery") == before
    run("push", "acme")
    sent = cashier.delivery(payment_id)
    [request] = answer["requests"]
    assert request["request_id"] == sent["request_id"]
    assert json.loads(request["payload"]) == sent["payload"]


def test_a_dry_run_shows_the_journal_entry_that_goes_first(cashier: Cashier, run: Callable[..., str]):
    cashier.map_accounts()
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, "99", rounding_amount="1")
    printed = run("delivery", "dry-run", "acme", str(cashier.delivery(payment_id)["delivery_id"]))
    assert printed.startswith("ready\n")
    assert printed.index("JournalEntry, requestid pf-a-") < printed.index("Payment, requestid pf-p-")


def test_a_delivery_is_shown_with_all_that_came_of_its_payment(cashier: Cashier, run: Callable[..., str]):
    cashier.map_accounts()
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    run("push", "acme")
    cashier.bench.sync(cashier.company)
    delivery_id = str(cashier.delivery(payment_id)["delivery_id"])

    shown = json.loads(run("delivery", "show", "acme", delivery_id, "--json"))

    [followed] = shown["lineage"]
    [attempt], [version] = followed["attempts"], followed["versions"]
    assert (attempt["intuit_tid"], attempt["dag_id"]) == (
        shown["attempts"][0]["intuit_tid"],
        "bin/receivables",
    )
    assert (followed["qbo_id"], version["sync_token"]) == (shown["qbo_id"], 0)
    printed = run("delivery", "show", "acme", delivery_id)
    for fact in (f"All of payment {payment_id}", attempt["intuit_tid"], version["dag_run_id"]):
        assert fact in printed


def test_a_held_payment_says_what_it_waits_for(cashier: Cashier, run: Callable[..., str]):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    run("push", "acme")
    [row] = json.loads(run("delivery", "list", "acme", "--state", "held", "--json"))
    assert row["payment_id"] == str(payment_id)
    assert "account mapping" in row["reason"]
    assert row["reason"] in run("delivery", "list", "acme")


def test_a_switched_off_company_keeps_its_payments_until_it_is_switched_on(
    cashier: Cashier, run: Callable[..., str]
):
    cashier.map_accounts()
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    assert "off" in run("auto-sync", "acme", "off")
    run("push", "acme")
    assert cashier.states(payment_id) == {"payment create": "held"}
    assert json.loads(run("auto-sync", "acme", "on", "--json")) == {"company_id": "acme", "auto_sync": True}
    run("push", "acme")
    assert cashier.states(payment_id) == {"payment create": "delivered"}


def refused(cashier: Cashier, run: Callable[..., str]) -> tuple[str, str]:
    """Have a payment refused, and return its delivery and the blocking payment in QuickBooks."""
    cashier.map_accounts()
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    customer = cashier.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"]
    other = cashier.books.pay(customer, "100", ("Invoice", invoice["source_id"], "100"))
    run("push", "acme")
    assert cashier.states(payment_id) == {"payment create": "rejected"}
    return str(cashier.delivery(payment_id)["delivery_id"]), other


def test_a_retried_payment_goes_under_a_new_request_id(cashier: Cashier, run: Callable[..., str]):
    # QuickBooks may remember that it refused the old one.
    cashier.bench.sandbox.change_settings(cashier.company.realm_id, requestid_remembers_faults=True)
    delivery_id, other = refused(cashier, run)
    cashier.books.delete("Payment", other)
    assert "pf-p-" in run("delivery", "retry", "acme", delivery_id)
    run("push", "acme")
    shown = json.loads(run("delivery", "show", "acme", delivery_id, "--json"))
    assert shown["state"] == "delivered"
    assert shown["request_id"].endswith("-g1")
    assert [attempt["outcome"] for attempt in shown["attempts"]] == ["rejected", "not_found", "delivered"]
    assert cashier.problems() == []


def test_an_ignored_payment_is_let_go_with_its_problem(cashier: Cashier, run: Callable[..., str]):
    delivery_id, _ = refused(cashier, run)
    assert "ignored" in run("delivery", "ignore", "acme", delivery_id)
    run("push", "acme")
    assert cashier.problems() == []
    with pytest.raises(ConfigurationError, match="is ignored: that cannot be ignored"):
        run("delivery", "ignore", "acme", delivery_id)


def test_a_delivery_of_another_company_is_refused(cashier: Cashier, run: Callable[..., str]):
    delivery_id, _ = refused(cashier, run)
    cashier.bench.connect("empty", company_id="globex")
    for action in ("show", "retry", "ignore", "dry-run"):
        with pytest.raises(ConfigurationError, match="not one of company 'globex'"):
            run("delivery", action, "globex", delivery_id)
    with pytest.raises(ConfigurationError, match="There is no delivery 999"):
        run("delivery", "show", "acme", "999")


@pytest.fixture(autouse=True)
def quiet() -> None:
    logging.getLogger("include").setLevel(logging.WARNING)
