"""The commands about who did what, and who may do it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from include.cli.output import print_table, to_json
from include.errors import RecordError

if TYPE_CHECKING:
    import argparse


def add_audit_commands(commands: Any) -> None:
    """Add ``audit`` and ``access``."""
    audit = commands.add_parser(
        "audit", help="who did what, and whether anybody has changed what was written down"
    )
    actions = audit.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="list what was done and what was denied, the latest first")
    listing.add_argument("company_id", nargs="?", metavar="COMPANY", help="all companies without")
    listing.add_argument("--most", type=int, default=100, metavar="NUMBER", help="100 unless told otherwise")
    listing.add_argument("--json", action="store_true", help="for programs")
    listing.set_defaults(command=_list)
    verify = actions.add_parser(
        "verify", help="find acts, verdicts and moves of payments that are not as they were written down"
    )
    verify.add_argument(
        "--head",
        action="append",
        default=[],
        metavar="COMPANY:NUMBER:HASH",
        help="an end that a chain has had, as an earlier check printed it; may be repeated",
    )
    verify.add_argument("--json", action="store_true", help="for programs")
    verify.set_defaults(command=_verify)

    access = commands.add_parser("access", help="which users and groups see and act on which companies")
    actions = access.add_subparsers(required=True, metavar="ACTION")
    members = actions.add_parser("list", help="list who is named; all see all companies as long as nobody is")
    members.add_argument("--json", action="store_true", help="for programs")
    members.set_defaults(command=_list_members)
    for name, command, explanation in (
        ("give", _give, "let somebody see and act on a company"),
        ("take", _take, "let somebody do so no longer"),
    ):
        action = actions.add_parser(name, help=explanation)
        action.add_argument("company_id", metavar="COMPANY", help="or '*' for all")
        kind = action.add_mutually_exclusive_group(required=True)
        kind.add_argument("--user", metavar="NAME", help="a user of Airflow")
        kind.add_argument("--group", metavar="NAME", help="those who have a role of Airflow")
        kind.add_argument(
            "--login", metavar="NAME", help="a user of the database that belongs to peakflo_app"
        )
        action.set_defaults(command=command)


def _list(options: argparse.Namespace) -> None:
    from include.hooks.receivables_db import ReceivablesDbHook
    from include.receivables.views import audit

    with ReceivablesDbHook().get_conn() as db:
        rows = audit.list_acts(db, options.company_id, most=options.most)
    if options.json:
        print(to_json(rows))
    else:
        print_table(("acted_at", "actor", "via", "company_id", "act", "outcome", "facts"), rows)


def _verify(options: argparse.Namespace) -> None:
    """
    Print what is not as it was written down, and where the chains end.

    :raises RecordError: when something is not.
    """
    from include.hooks.receivables_db import ReceivablesDbHook
    from include.receivables.views import audit

    earlier = [audit.Head.of(text) for text in options.head]
    with ReceivablesDbHook().get_conn() as db:
        found = audit.check(db, earlier)
        heads = audit.list_heads(db)
    if options.json:
        print(to_json({"findings": [asdict(each) for each in found], "heads": [str(head) for head in heads]}))
    else:
        print_table(("company_id", "sentence"), [asdict(each) for each in found])
        print("\n".join(f"head {head}" for head in heads))
    if found:
        raise RecordError(f"{len(found)} findings: see above, and SECURITY.md.")


def _list_members(options: argparse.Namespace) -> None:
    from include.hooks.receivables_db import ReceivablesDbHook
    from include.receivables.company import members

    with ReceivablesDbHook().get_conn() as db:
        rows = members.list_members(db)
    if options.json:
        print(to_json(rows))
    else:
        print_table(("member_kind", "member", "company_id"), rows)


def _give(options: argparse.Namespace) -> None:
    from include.receivables.company import members

    _change(options, members.give)


def _take(options: argparse.Namespace) -> None:
    from include.receivables.company import members

    _change(options, members.take)


def _change(options: argparse.Namespace, change: Any) -> None:
    """Change who is named, as the owner of the database: the sync itself may not."""
    from include.hooks.receivables_db import OwnerDbHook

    kind = next(name for name in ("user", "group", "login") if getattr(options, name))
    with OwnerDbHook().get_conn() as db:
        change(db, kind, getattr(options, kind), options.company_id)
    _list_members(options)
