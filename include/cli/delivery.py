"""The way back by hand: deliver a company's payments, look into the outbox, and decide where a person has to."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from include.cli.output import print_outcome, print_table, to_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from psycopg import Connection

    from include.receivables.company.companies import Company

    Command = Callable[[argparse.Namespace], None]

COLUMNS = (
    "delivery_id", "state", "leg", "operation", "customer", "payment_date", "amount", "currency", "qbo_id",
    "attempts", "reason",
)  # fmt: skip


def add_delivery_commands(commands: Any) -> None:
    """Add ``push``, ``auto-sync`` and ``delivery`` to the command line."""
    push = _add(commands, "push", _push, "deliver a company's payments to QuickBooks")
    push.description = "Deliver what is due now; what waits for somebody says why in `delivery list`."
    switch = _add(commands, "auto-sync", _auto_sync, "switch a company's two-way payment sync on or off")
    switch.add_argument("switch", choices=("on", "off"))
    delivery = commands.add_parser("delivery", help="list, show, retry, ignore or try deliveries of payments")
    actions = delivery.add_subparsers(required=True, metavar="ACTION")
    listing = _add(actions, "list", _list, "list a company's deliveries, the newest first")
    listing.add_argument("--state", action="append", metavar="STATE", help="one state; may be repeated")
    for name, command, explanation in (
        ("show", _show, "show a delivery with every attempt"),
        ("retry", _retry, "let a delivery go on that was rejected or could not be found"),
        ("ignore", _ignore, "let go of a delivery that was settled otherwise"),
        ("dry-run", _dry_run, "print exactly what would be sent, or why nothing; nothing is sent"),
    ):
        _add(actions, name, command, explanation).add_argument("delivery_id", metavar="DELIVERY", type=int)


def _add(commands: Any, name: str, command: Command, explanation: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=explanation)
    parser.add_argument("company_id", metavar="COMPANY")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(command=command)
    return parser


@contextmanager
def _company(options: argparse.Namespace) -> Iterator[tuple[Connection, Company]]:
    from include.hooks.receivables_db import ReceivablesDbHook
    from include.receivables.company.companies import get_company

    with ReceivablesDbHook().get_conn() as db:
        yield db, get_company(db, options.company_id)


def _push(options: argparse.Namespace) -> None:
    from include.hooks.access import get_access
    from include.receivables.company.run_context import RunContext
    from include.receivables.outbound.delivery_jobs import deliver

    run_context = RunContext(
        "bin/receivables", f"push__{datetime.now(UTC).isoformat(timespec='microseconds')}"
    )
    print_outcome(deliver(get_access(), options.company_id, run_context), as_json=options.json)


def _auto_sync(options: argparse.Namespace) -> None:
    from include.receivables.outbound.deliveries import set_auto_sync

    is_on = options.switch == "on"
    with _company(options) as (db, company):
        set_auto_sync(db, company, is_on=is_on)
    if options.json:
        print(to_json({"company_id": company.company_id, "auto_sync": is_on}))
    else:
        print(f"{company.company_id}: two-way payment sync is {options.switch}")


def _list(options: argparse.Namespace) -> None:
    from include.receivables.outbound.deliveries import list_deliveries

    with _company(options) as (db, company):
        rows = list_deliveries(db, company, states=options.state)
    if options.json:
        print(to_json(rows))
    else:
        print_table(COLUMNS, rows)


def _show(options: argparse.Namespace) -> None:
    with _company(options) as (db, company):
        _print_delivery(db, company, options)


def _retry(options: argparse.Namespace) -> None:
    from include.receivables.outbound.deliveries import retry

    with _company(options) as (db, company):
        retry(db, company, options.delivery_id)
        _print_delivery(db, company, options)


def _ignore(options: argparse.Namespace) -> None:
    from include.receivables.outbound.deliveries import ignore

    with _company(options) as (db, company):
        ignore(db, company, options.delivery_id)
        _print_delivery(db, company, options)


def _dry_run(options: argparse.Namespace) -> None:
    from include.receivables.outbound.deliveries import dry_run

    with _company(options) as (db, company):
        answer = dry_run(db, company, options.delivery_id)
    if options.json:
        print(to_json(answer))
        return
    print(f"{answer['answer']}{': ' + answer['reason'] if answer['reason'] else ''}")
    for request in answer["requests"]:
        print(f"\n{request['entity']}, requestid {request['request_id']}\n{request['payload']}")


def _print_delivery(db: Connection, company: Company, options: argparse.Namespace) -> None:
    from include.receivables.outbound.deliveries import show
    from include.receivables.views.lineage import follow

    delivery = show(db, company, options.delivery_id)
    delivery["payment_id"] = str(delivery["payment_id"])
    lineage = follow(db, company, options.delivery_id)
    if options.json:
        print(to_json(delivery | {"lineage": lineage}))
        return
    attempts = delivery.pop("attempts")
    for key, value in delivery.items():
        print(f"{key + ':':16}{'' if value is None else value}")
    print()
    print_table(("started_at", "action", "outcome", "dag_run_id", "intuit_tid", "error"), attempts)
    print(f"\nAll of payment {delivery['payment_id']}:")
    print_table(("delivery_id", "leg", "operation", "state", "qbo_id", "delivered_at"), lineage)
    print("\nWhat QuickBooks had of it:")
    print_table(
        ("qbo_id", "sync_token", "read_at", "deleted_at", "dag_id", "dag_run_id"),
        [version | {"qbo_id": each["qbo_id"]} for each in lineage for version in each["versions"]],
    )
