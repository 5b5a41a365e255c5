"""The way back by hand: deliver a company's payments, look into the outbox, and decide where a person has to."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from getpass import getuser
from typing import TYPE_CHECKING, Any

from include.cli.output import print_outcome, print_table, say, to_json
from include.plain_text import one_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from psycopg import Connection

    from include.receivables.company.companies import Company

    Command = Callable[[argparse.Namespace], None]

COLUMNS = (
    "delivery_id", "kind", "code", "customer", "payment_date", "amount", "currency", "qbo_id", "sentence",
)  # fmt: skip


def add_delivery_commands(commands: Any) -> None:
    """Add ``push``, ``auto-sync`` and ``delivery`` to the command line."""
    push = _add(commands, "push", _push, "deliver a company's payments to QuickBooks")
    push.description = "Deliver what is due now; what waits for somebody says why in `delivery list`."
    switch = _add(commands, "auto-sync", _auto_sync, "switch a company's two-way payment sync on or off")
    switch.add_argument("switch", choices=("on", "off"))
    delivery = commands.add_parser(
        "delivery", help="list payments to QuickBooks, show one, or decide about it"
    )
    actions = delivery.add_subparsers(required=True, metavar="ACTION")
    listing = _add(actions, "list", _list, "list a company's payments, the newest first")
    listing.add_argument(
        "--kind",
        action="append",
        choices=("agrees", "waits", "differs", "ignored"),
        help="those that stand so; may be repeated",
    )
    for name, command, explanation in (
        ("show", _show, "show a payment with all that came of it"),
        (
            "retry",
            _retry,
            "have a payment go on that was refused, could not be found, is gone or was let go of",
        ),
        (
            "ignore",
            _ignore,
            "keep quiet about how a payment differs; one that was not sent is not sent any more",
        ),
        ("approve", _approve, "let a payment go that is larger than the company lets go by itself"),
        (
            "relink",
            _relink,
            "apply a payment to the invoice that took the place of the one it was taken for",
        ),
        (
            "dry-run",
            _dry_run,
            "print exactly what would be done, or where the payment stands; nothing is sent",
        ),
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
    from include.receivables.views.deliveries import set_auto_sync

    is_on = options.switch == "on"
    with _company(options) as (db, company):
        set_auto_sync(db, company, is_on=is_on)
    if options.json:
        print(to_json({"company_id": company.company_id, "auto_sync": is_on}))
    else:
        print(f"{company.company_id}: two-way payment sync is {options.switch}")


def _list(options: argparse.Namespace) -> None:
    from include.receivables.views.deliveries import list_deliveries

    with _company(options) as (db, company):
        rows = list_deliveries(db, company, kinds=options.kind)
    if options.json:
        print(to_json(rows))
    else:
        print_table(COLUMNS, rows)


def _show(options: argparse.Namespace) -> None:
    with _company(options) as (db, company):
        _print_delivery(db, company, options)


def _retry(options: argparse.Namespace) -> None:
    from include.receivables.outbound.decisions import retry

    _decide(options, retry)


def _ignore(options: argparse.Namespace) -> None:
    from include.receivables.outbound.decisions import ignore

    _decide(options, ignore)


def _approve(options: argparse.Namespace) -> None:
    from include.receivables.outbound.decisions import approve

    _decide(options, approve)


def _relink(options: argparse.Namespace) -> None:
    from include.receivables.outbound.decisions import relink

    _decide(options, relink)


def _decide(options: argparse.Namespace, decide: Callable[..., None]) -> None:
    from include.receivables.views.deliveries import payment_of

    with _company(options) as (db, company):
        decide(db, company, payment_of(db, company, options.delivery_id), by=f"command line ({getuser()})")
        _print_delivery(db, company, options)


def _dry_run(options: argparse.Namespace) -> None:
    from include.receivables.outbound.situation import read_situation
    from include.receivables.views.deliveries import dry_run, payment_of

    with _company(options) as (db, company):
        payment_id = payment_of(db, company, options.delivery_id)
        answer = dry_run(read_situation(db, company, payment_id))
    if options.json:
        print(to_json(answer))
        return
    say(f"{answer['answer']}{': ' + answer['reason'] if answer['reason'] else ''}")
    for request in answer["requests"]:
        heading = f"{request['operation']} {request['entity']}, requestid {request['request_id']}"
        say(f"\n{heading}\n{request['payload']}")


def _print_delivery(db: Connection, company: Company, options: argparse.Namespace) -> None:
    from include.receivables.views.deliveries import list_deliveries, payment_of
    from include.receivables.views.lineage import follow

    payment_of(db, company, options.delivery_id)
    [delivery] = list_deliveries(db, company, before=options.delivery_id + 1, most=1)
    lineage = follow(db, company, options.delivery_id)
    if options.json:
        print(to_json(delivery | {"lineage": lineage}))
        return
    for key, value in delivery.items():
        say(f"{key + ':':16}{'' if value is None else one_line(str(value))}")
    print("\nIts records:")
    print_table(("record_id", "document", "generation", "state", "qbo_id", "made_at", "reason"), lineage)
    print("\nWhat happened to them:")
    print_table(
        ("moved_at", "record_id", "to_state", "why", "dag_run_id", "request_id", "intuit_tid"),
        [move | {"record_id": each["record_id"]} for each in lineage for move in each["moves"]],
    )
    print("\nWhat QuickBooks had of them:")
    print_table(
        ("qbo_id", "sync_token", "read_at", "deleted_at", "dag_id", "dag_run_id"),
        [version | {"qbo_id": each["qbo_id"]} for each in lineage for version in each["versions"]],
    )
