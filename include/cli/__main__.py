"""
The steps by hand, outside the scheduler: what ``bin/receivables`` runs.

The same functions that the DAGs call. Exit codes: 0 when everything went in, 1 when something did not, with one
sentence about it, 2 for a wrong command line.
"""

from __future__ import annotations

import argparse
import getpass
import logging
import os
import sys
from contextlib import redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from include.cli.alerts import add_alert_commands
from include.cli.audit import add_audit_commands
from include.cli.delivery import add_delivery_commands
from include.cli.output import print_companies, print_company, print_outcome, to_json
from include.cli.payments import add_account_mapping_commands
from include.cli.proof import add_proof_command
from include.cli.rules import add_rule_commands
from include.cli.verdicts import add_verdict_commands
from include.errors import ChangesExpiredError, ReceivablesError
from include.plain_text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.receivables.company.batches import Outcome
    from include.receivables.company.run_context import RunContext


# A command sends no metrics; with them, it would wait at its end for a collector that is away.
NO_METRICS = {
    f"AIRFLOW__METRICS__{name}": "False" for name in ("OTEL_ON", "STATSD_ON", "STATSD_DATADOG_ENABLED")
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    os.environ.update(NO_METRICS)
    _log_to_standard_error(is_verbose=options.verbose)
    try:
        _run(options)
    except (ReceivablesError, psycopg.OperationalError) as error:
        print(f"receivables: {one_line(str(error))}", file=sys.stderr)
        return 1
    return 0


def _run(options: argparse.Namespace) -> None:
    from include.hooks.receivables_db import Actor, acting_as

    with acting_as(Actor(getpass.getuser(), "command line")):
        options.command(options)


def _log_to_standard_error(*, is_verbose: bool) -> None:
    """Keep the log out of standard output, which is for the answer: Airflow sends it there when imported."""
    with redirect_stdout(sys.stderr):
        import airflow  # noqa: F401

    level = logging.INFO if is_verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(message)s", force=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bin/receivables", description="The sync's steps by hand.")
    parser.add_argument("--verbose", action="store_true", help="say what is being done")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_company_commands(commands)
    _add_job(commands, "sync", _sync, "bring a company up to date; imports it first when that is due")
    _add_job(commands, "import", _import, "read everything a company has; goes on with a stopped import")
    refresh = _add_job(
        commands, "refresh", _refresh, "refresh reference data: accounts, taxes, terms, company"
    )
    refresh.add_argument("--only", action="append", metavar="GROUP", help="one group; may be repeated")
    merge = commands.add_parser(
        "merge", help="merge everything that is staged again, without asking QuickBooks"
    )
    merge.add_argument("company_id", metavar="COMPANY")
    merge.add_argument("--json", action="store_true", help="for programs")
    merge.set_defaults(command=_merge)
    add_account_mapping_commands(commands)
    add_rule_commands(commands)
    add_delivery_commands(commands)
    add_verdict_commands(commands)
    add_proof_command(commands, _run_context)
    add_alert_commands(commands)
    add_audit_commands(commands)
    keys = commands.add_parser("keys", help="the keys that tokens are encrypted with")
    rotate = keys.add_subparsers(required=True, metavar="ACTION").add_parser(
        "rotate", help="encrypt all tokens with the first of AIRFLOW__CORE__FERNET_KEY"
    )
    rotate.set_defaults(command=_rotate_keys)
    db_url = commands.add_parser("db-url", help="print the URL of the receivables database")
    db_url.set_defaults(command=_db_url)
    return parser


def _add_company_commands(commands: Any) -> None:
    company = commands.add_parser(
        "company", help="connect, list, show, pause, resume or disconnect companies"
    )
    actions = company.add_subparsers(required=True, metavar="ACTION")
    connect = actions.add_parser("connect", help="connect a company whose refresh token is known")
    connect.add_argument("--company-id", required=True, metavar="ID", help="Peakflo's id")
    connect.add_argument("--name", required=True)
    connect.add_argument("--realm-id", required=True, metavar="REALM", help="QuickBooks' company id")
    connect.add_argument(
        "--refresh-token", required=True, metavar="TOKEN", help="or - to read it from standard input"
    )
    connect.add_argument("--json", action="store_true", help="for programs")
    connect.set_defaults(command=_connect)
    listing = actions.add_parser("list", help="list all companies")
    listing.add_argument("--json", action="store_true", help="for programs")
    listing.set_defaults(command=_list)
    for name, command, explanation in (
        ("show", _show, "show one company: what is wrong, and the counts of its records"),
        ("pause", _pause, "stop reading a company's books"),
        ("resume", _resume, "go on reading a company's books"),
        ("disconnect", _disconnect, "take the app's access back; records and mappings stay"),
    ):
        action = actions.add_parser(name, help=explanation)
        action.add_argument("company_id", metavar="COMPANY")
        action.add_argument("--json", action="store_true", help="for programs")
        action.set_defaults(command=command)
    offboard = actions.add_parser(
        "offboard", help="export all that is kept of a disconnected company into a file, then erase it"
    )
    offboard.add_argument("company_id", metavar="COMPANY")
    offboard.add_argument("--export", type=Path, required=True, metavar="FILE", help="a new ZIP file")
    offboard.set_defaults(command=_offboard)


def _add_job(commands: Any, name: str, command: Any, explanation: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=explanation)
    parser.add_argument("company_id", metavar="COMPANY")
    parser.add_argument("--json", action="store_true", help="for programs")
    if name != "refresh":
        parser.add_argument(
            "--accept-deletions", action="store_true", help="believe deletions however many they are"
        )
    parser.set_defaults(command=command)
    return parser


def _connect(options: argparse.Namespace) -> None:
    from include.hooks.access import get_access
    from include.receivables.company import companies
    from include.receivables.connecting import connections

    access = get_access()
    from_standard_input = options.refresh_token == "-"  # noqa: S105 - a dash is no secret
    token = sys.stdin.readline().strip() if from_standard_input else options.refresh_token
    with access.connect() as db:
        connections.connect_company(
            db,
            company_id=options.company_id,
            name=options.name,
            realm_id=options.realm_id,
            refresh_token=token,
            connected_by="command line",
            app=access.app,
            cipher=access.cipher,
        )
        print_companies(companies.list_companies(db, options.company_id), as_json=options.json)


def _list(options: argparse.Namespace) -> None:
    from include.hooks.receivables_db import ReceivablesDbHook
    from include.receivables.company import companies

    with ReceivablesDbHook().get_conn() as db:
        print_companies(companies.list_companies(db), as_json=options.json)


def _show(options: argparse.Namespace) -> None:
    from include.hooks.receivables_db import ReceivablesDbHook
    from include.receivables.alerts.causes import list_causes
    from include.receivables.company import companies

    with ReceivablesDbHook().get_conn() as db:
        company = companies.get_company(db, options.company_id)
        [row] = companies.list_companies(db, options.company_id)
        causes = list_causes(db, company.company_id)
        print_company(row, companies.count_records(db, company), causes, as_json=options.json)


def _pause(options: argparse.Namespace) -> None:
    _set_paused(options, is_paused=True)


def _resume(options: argparse.Namespace) -> None:
    _set_paused(options, is_paused=False)


def _set_paused(options: argparse.Namespace, *, is_paused: bool) -> None:
    from include.hooks.receivables_db import ReceivablesDbHook
    from include.receivables.company import companies

    with ReceivablesDbHook().get_conn() as db:
        companies.set_paused(db, companies.get_company(db, options.company_id), is_paused=is_paused)
        print_companies(companies.list_companies(db, options.company_id), as_json=options.json)


def _offboard(options: argparse.Namespace) -> None:
    from include.hooks.receivables_db import OwnerDbHook
    from include.receivables.connecting.offboarding import offboard

    with OwnerDbHook().get_conn() as db:
        print(to_json(offboard(db, options.company_id, options.export)))


def _rotate_keys(options: argparse.Namespace) -> None:
    from include.hooks.access import get_access
    from include.receivables.connecting.key_rotation import rotate_keys

    access = get_access()
    with access.connect() as db:
        print(f"companies whose tokens are under the first key: {rotate_keys(db, access.cipher)}")


def _disconnect(options: argparse.Namespace) -> None:
    from include.hooks.access import get_access
    from include.receivables.company import companies
    from include.receivables.connecting import connections

    access = get_access()
    with access.connect() as db:
        company = companies.get_company(db, options.company_id)
        connections.disconnect_company(db, company, app=access.app, cipher=access.cipher)
        print_companies(companies.list_companies(db, options.company_id), as_json=options.json)


def _sync(options: argparse.Namespace) -> None:
    from include.hooks.access import get_access
    from include.receivables.inbound import jobs

    access = get_access()
    believed = {"accept_deletions": options.accept_deletions}
    try:
        outcome = jobs.sync(access, options.company_id, _run_context("sync"), **believed)
    except ChangesExpiredError as error:
        print(f"{error} Importing it now.", file=sys.stderr)
        outcome = jobs.import_all(access, options.company_id, _run_context("import"), **believed)
    _finish(options, outcome)


def _import(options: argparse.Namespace) -> None:
    from include.hooks.access import get_access
    from include.receivables.inbound import jobs

    outcome = jobs.import_all(
        get_access(), options.company_id, _run_context("import"), accept_deletions=options.accept_deletions
    )
    _finish(options, outcome)


def _refresh(options: argparse.Namespace) -> None:
    from include.hooks.access import get_access
    from include.receivables.inbound import jobs
    from include.receivables.inbound.reference_data import GROUPS

    outcome = jobs.refresh(
        get_access(), options.company_id, _run_context("refresh"), groups=options.only or tuple(GROUPS)
    )
    _finish(options, outcome)


def _merge(options: argparse.Namespace) -> None:
    from include.hooks.receivables_db import ReceivablesDbHook
    from include.receivables.inbound import jobs

    _finish(
        options, jobs.merge_again(ReceivablesDbHook().get_conn, options.company_id, _run_context("merge"))
    )


def _db_url(_options: argparse.Namespace) -> None:
    from include.hooks.receivables_db import ReceivablesDbHook

    print(ReceivablesDbHook().get_uri())


def _run_context(command: str) -> RunContext:
    from include.receivables.company.run_context import RunContext

    return RunContext("bin/receivables", f"{command}__{datetime.now(UTC).isoformat(timespec='microseconds')}")


def _finish(options: argparse.Namespace, outcome: Outcome) -> None:
    """
    Print what a job did.

    :raises RecordError: when some records did not go in.
    """
    from include.hooks.receivables_db import ReceivablesDbHook
    from include.receivables.company.problems import check_none_open

    print_outcome(outcome, as_json=options.json)
    with ReceivablesDbHook().get_conn() as db:
        check_none_open(db, outcome.company_id)


if __name__ == "__main__":
    raise SystemExit(main())
