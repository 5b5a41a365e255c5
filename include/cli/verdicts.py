"""The commands about verdicts before reminders."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from include.cli.output import print_table, to_json
from include.errors import RecordError

if TYPE_CHECKING:
    import argparse


def add_verdict_commands(commands: Any) -> None:
    """Add ``verdicts replay``."""
    verdicts = commands.add_parser("verdicts", help="judge kept verdicts again")
    actions = verdicts.add_subparsers(required=True, metavar="ACTION")
    replay = actions.add_parser(
        "replay", help="judge kept verdicts anew from their evidence, and show which would differ"
    )
    replay.add_argument("company_id", nargs="?", metavar="COMPANY", help="all companies without")
    replay.add_argument("--json", action="store_true", help="for programs")
    replay.set_defaults(command=_replay)


def _replay(options: argparse.Namespace) -> None:
    """
    Print what came of judging again.

    :raises RecordError: when a verdict would differ.
    """
    from include.hooks.receivables_db import ReceivablesDbHook
    from include.receivables.company import companies
    from include.receivables.reminders.verdict_replay import replay

    with ReceivablesDbHook().get_conn() as db:
        if options.company_id is not None:
            companies.get_company(db, options.company_id)
        done = replay(db, options.company_id)
    rows = [asdict(difference) for difference in done.differences]
    if options.json:
        print(to_json({"counts": done.counts, "differences": rows}))
    else:
        if rows:
            print_table(tuple(rows[0]), rows)
        for name in ("same", "different", "without_evidence"):
            print(f"{name.replace('_', ' ')}: {done.counts[name]}")
    if rows:
        raise RecordError(f"{len(rows)} verdicts would be others today: see above.")
