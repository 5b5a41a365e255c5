from __future__ import annotations

import argparse
import json
import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from include.cli.delivery import add_delivery_commands
from include.errors import ConfigurationError
from tests.support.bookkeeper import Bookkeeper
from tests.support.cashier import Cashier
from tests.support.payment_steps import delivered, forget_requests, lose_answer

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
    before = cashier.rows("outbox.delivery"), cashier.rows("outbox.queue")
    cashier.bench.sandbox.reset_calls(cashier.company.realm_id)

    answer = json.loads(run("delivery", "dry-run", "acme", delivery_id, "--json"))

    assert answer["answer"] == "send"
    assert cashier.bench.sandbox.calls(cashier.company.realm_id)["by_status"] == {}
    assert (cashier.rows("outbox.delivery"), cashier.rows("outbox.queue")) == before
    assert cashier.records(payment_id) == []
    run("push", "acme")
    sent = cashier.record(payment_id)
    [request] = answer["requests"]
    assert request["request_id"] == sent["request_id"]
    assert json.loads(request["payload"]) == sent["payload"]
    after = json.loads(run("delivery", "dry-run", "acme", delivery_id, "--json"))
    assert (after["answer"], after["code"]) == ("agrees", "delivered")
    assert [each["request_id"] for each in after["requests"]] == [sent["request_id"]]


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_dry_run_prints_how_a_cancelled_payment_is_undone(
    cashier: Cashier, run: Callable[..., str], is_lost: bool
):
    cashier.map_accounts()
    payment_id = delivered(cashier)
    cashier.cancel(payment_id)
    if is_lost:
        lose_answer(cashier, "reset")
        cashier.push(settled_after=timedelta(minutes=2))
        forget_requests(cashier)
        cashier.bench.db.execute("update outbox.record set looked_at = sent_at + interval '3 minutes'")
    delivery_id = str(cashier.delivery(payment_id)["delivery_id"])

    answer = json.loads(run("delivery", "dry-run", "acme", delivery_id, "--json"))

    made = cashier.record(payment_id)
    [request] = answer["requests"]
    assert answer["answer"] == ("resend" if is_lost else "undo")
    assert (request["operation"], request["request_id"]) == ("void", f"{made['request_id']}-u1")
    assert json.loads(request["payload"]) == {"Id": made["qbo_id"], "SyncToken": "0", "sparse": True}
    run("push", "acme")
    assert cashier.states(payment_id) == {"payment": ["undone"]}
    undoing = next(row for row in cashier.rows("outbox.move") if row["to_state"] == "undoing")
    assert undoing["request_id"] == request["request_id"]


def test_a_dry_run_prints_the_request_that_goes_again(cashier: Cashier, run: Callable[..., str]):
    cashier.map_accounts()
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    lose_answer(cashier, "reset")
    cashier.push(settled_after=timedelta(minutes=2))
    cashier.bench.db.execute(
        "update outbox.record set sent_at = sent_at - interval '5 minutes', looked_at = sent_at - interval '2 minutes'"
    )
    delivery_id = str(cashier.delivery(payment_id)["delivery_id"])

    answer = json.loads(run("delivery", "dry-run", "acme", delivery_id, "--json"))

    sent = cashier.record(payment_id)
    [request] = answer["requests"]
    assert (answer["answer"], request["operation"]) == ("resend", "create")
    assert (request["request_id"], json.loads(request["payload"])) == (sent["request_id"], sent["payload"])
    run("push", "acme")
    assert cashier.states(payment_id) == {"payment": ["made"]}


def test_a_dry_run_shows_the_journal_entry_that_goes_first(cashier: Cashier, run: Callable[..., str]):
    cashier.map_accounts()
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice, "99", rounding_amount="1")
    printed = run("delivery", "dry-run", "acme", str(cashier.delivery(payment_id)["delivery_id"]))
    assert printed.startswith("send\n")
    entry, payment = "create JournalEntry, requestid pf-j-", "create Payment, requestid pf-p-"
    assert printed.index(entry) < printed.index(payment)


def test_a_delivery_is_shown_with_all_that_came_of_its_payment(cashier: Cashier, run: Callable[..., str]):
    cashier.map_accounts()
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    run("push", "acme")
    cashier.bench.sync(cashier.company)
    delivery_id = str(cashier.delivery(payment_id)["delivery_id"])

    shown = json.loads(run("delivery", "show", "acme", delivery_id, "--json"))

    [followed] = shown["lineage"]
    [sent, made], [version] = followed["moves"], followed["versions"]
    assert [move["to_state"] for move in (sent, made)] == ["sent", "made"]
    assert sent["request_id"] == cashier.record(payment_id)["request_id"]
    assert {move["dag_id"] for move in (sent, made)} == {"bin/receivables"}
    assert (shown["kind"], shown["code"]) == ("agrees", "delivered")
    assert (followed["qbo_id"], version["sync_token"]) == (shown["qbo_id"], 0)
    printed = run("delivery", "show", "acme", delivery_id)
    for fact in (
        str(payment_id),
        sent["request_id"],
        made["why"],
        made["intuit_tid"],
        made["dag_run_id"],
        version["dag_run_id"],
    ):
        assert fact in printed


def test_a_waiting_payment_says_what_it_waits_for(cashier: Cashier, run: Callable[..., str]):
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    run("push", "acme")
    [row] = json.loads(run("delivery", "list", "acme", "--kind", "waits", "--json"))
    assert row["payment_id"] == str(payment_id)
    assert row["code"] == "account_unmapped"
    assert "account mapping" in row["sentence"]
    assert row["sentence"] in run("delivery", "list", "acme")


def test_payments_are_listed_by_where_they_stand(cashier: Cashier, run: Callable[..., str]):
    cashier.map_accounts()
    [invoice] = cashier.invoices(1)
    made = cashier.take(invoice)
    run("push", "acme")
    unfit = cashier.take(invoice, currency="EUR")
    run("push", "acme")
    queued = cashier.take(invoice)

    def listed(*kinds: str) -> list[str]:
        chosen = [word for kind in kinds for word in ("--kind", kind)]
        return [row["payment_id"] for row in json.loads(run("delivery", "list", "acme", "--json", *chosen))]

    assert listed() == [str(each) for each in (queued, unfit, made)]
    assert listed("agrees") == [str(made)]
    assert listed("waits", "differs") == [str(queued), str(unfit)]
    assert listed("ignored") == []
    with pytest.raises(SystemExit):
        listed("held")


def test_a_switched_off_company_keeps_its_payments_until_it_is_switched_on(
    cashier: Cashier, run: Callable[..., str]
):
    cashier.map_accounts()
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    assert "off" in run("auto-sync", "acme", "off")
    run("push", "acme")
    assert cashier.standing(payment_id) == ("waits", "auto_sync_off")
    assert cashier.records(payment_id) == []
    assert json.loads(run("auto-sync", "acme", "on", "--json")) == {"company_id": "acme", "auto_sync": True}
    run("push", "acme")
    assert cashier.standing(payment_id) == ("agrees", "delivered")
    assert cashier.states(payment_id) == {"payment": ["made"]}


def refused(cashier: Cashier, run: Callable[..., str]) -> tuple[str, str]:
    """Have QuickBooks refuse a payment, and return its number and the blocking payment there."""
    cashier.map_accounts()
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    customer = cashier.books.read("Invoice", invoice["source_id"])["CustomerRef"]["value"]
    other = cashier.books.pay(customer, "100", ("Invoice", invoice["source_id"], "100"))
    run("push", "acme")
    assert cashier.states(payment_id) == {"payment": ["refused"]}
    assert cashier.delivery(payment_id)["kind"] == "differs"
    return str(cashier.delivery(payment_id)["delivery_id"]), other


def test_a_retried_payment_goes_under_a_new_request_id(cashier: Cashier, run: Callable[..., str]):
    # QuickBooks may remember that it refused the old one.
    cashier.bench.sandbox.change_settings(cashier.company.realm_id, requestid_remembers_faults=True)
    delivery_id, other = refused(cashier, run)
    cashier.books.delete("Payment", other)
    assert "pf-p-" in run("delivery", "retry", "acme", delivery_id)
    run("push", "acme")
    shown = json.loads(run("delivery", "show", "acme", delivery_id, "--json"))
    assert (shown["kind"], shown["code"]) == ("agrees", "delivered")
    first, second = shown["lineage"]
    assert [each["state"] for each in (first, second)] == ["refused", "made"]
    assert second["moves"][0]["request_id"] == f"{first['moves'][0]['request_id']}-g1"
    assert cashier.problems() == []


def test_an_ignored_payment_is_let_go_with_its_problem(cashier: Cashier, run: Callable[..., str]):
    delivery_id, _ = refused(cashier, run)
    ignored = json.loads(run("delivery", "ignore", "acme", delivery_id, "--json"))
    assert ignored["kind"] == "ignored"
    run("push", "acme")
    assert cashier.problems() == []
    assert [row["state"] for row in cashier.rows("sync.problem")] == ["ignored"]
    with pytest.raises(ConfigurationError, match="The payment is ignored: there is nothing to ignore"):
        run("delivery", "ignore", "acme", delivery_id)


def test_what_agrees_is_neither_retried_nor_ignored(cashier: Cashier, run: Callable[..., str]):
    cashier.map_accounts()
    delivery_id = str(cashier.delivery(delivered(cashier))["delivery_id"])
    for action in ("retry", "ignore"):
        sentence = f"The payment agrees with QuickBooks: there is nothing to {action}"
        with pytest.raises(ConfigurationError, match=sentence):
            run("delivery", action, "acme", delivery_id)


def test_what_is_about_to_be_sent_can_be_let_go_of_and_not_retried(cashier: Cashier, run: Callable[..., str]):
    cashier.map_accounts()
    [invoice] = cashier.invoices(1)
    payment_id = cashier.take(invoice)
    delivery_id = str(cashier.delivery(payment_id)["delivery_id"])
    with pytest.raises(ConfigurationError, match="there is nothing to retry"):
        run("delivery", "retry", "acme", delivery_id)
    run("delivery", "ignore", "acme", delivery_id)
    cashier.push()
    assert cashier.standing(payment_id) == ("ignored", "let_go")
    assert cashier.in_quickbooks() == {}


def test_a_delivery_of_another_company_is_refused(cashier: Cashier, run: Callable[..., str]):
    delivery_id, _ = refused(cashier, run)
    cashier.bench.connect("empty", company_id="globex")
    for action in ("show", "retry", "ignore", "dry-run"):
        with pytest.raises(ConfigurationError, match="Company 'globex' has no delivery"):
            run("delivery", action, "globex", delivery_id)
    with pytest.raises(ConfigurationError, match="Company 'acme' has no delivery 999"):
        run("delivery", "show", "acme", "999")


@pytest.fixture(autouse=True)
def quiet() -> None:
    logging.getLogger("include").setLevel(logging.WARNING)
