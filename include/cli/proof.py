"""The command that proves a company."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.cli.output import print_table, to_json
from include.errors import RecordError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from include.receivables.company.run_context import RunContext

COLUMNS = (
    "class",
    "entity",
    "qbo_id",
    "customer_name",
    "field",
    "quickbooks",
    "peakflo",
    "amount",
    "is_repaired",
)


def add_proof_command(commands: Any, run_context: Callable[[str], RunContext]) -> None:
    """
    Add ``reconcile``.

    :param run_context: names the run of a command in the sync log.
    """
    reconcile = commands.add_parser(
        "reconcile", help="prove that Peakflo has what QuickBooks has, and repair what was missed"
    )
    reconcile.add_argument("company_id", metavar="COMPANY")
    reconcile.add_argument(
        "--most-pages", type=int, default=None, metavar="N", help="pages of records at most"
    )
    reconcile.add_argument("--json", action="store_true", help="for programs")
    reconcile.set_defaults(command=lambda options: _reconcile(options, run_context("reconcile")))


def _reconcile(options: argparse.Namespace, run_context: RunContext) -> None:
    """
    Prove a company and print what came of it.

    :raises RecordError: when something differs of which nobody knows why, or nothing was proved.
    """
    from include.hooks.access import get_access
    from include.hooks.receivables_db import ReceivablesDbHook
    from include.receivables.company.companies import get_company
    from include.receivables.proof import reconciling
    from include.receivables.views import proofs

    most_pages = reconciling.MOST_PAGES if options.most_pages is None else max(options.most_pages, 0)
    reconciling.reconcile(get_access(), options.company_id, run_context, most_pages=most_pages)
    with ReceivablesDbHook().get_conn() as db:
        [proof] = proofs.list_proofs(db, get_company(db, options.company_id), most=1)
        differences = proofs.list_differences(db, proof["proof_id"], most=None)
    if options.json:
        print(to_json(_plain(proof) | {"rows": [_plain(each) for each in differences]}))
    else:
        if differences:
            print_table(COLUMNS, differences)
        print(
            f"{options.company_id}: {proof['verdict'].replace('_', ' ')}, {proof['explained_share']} % of "
            f"{proof['difference_total']:,.2f} explained, {proof['repaired']} repaired, metered calls {proof['calls']}"
        )
    if proof["verdict"] in ("differs", "not_proved"):
        raise RecordError(
            proof["reason"] or "Peakflo and QuickBooks differ, and nobody knows why: see above."
        )


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Write what JSON has no form for as text."""
    interval = row.get("time_to_explanation")
    day = row.get("report_day")
    return row | (
        {"time_to_explanation": interval and str(interval), "report_day": day and str(day)}
        if "calls" in row
        else {}
    )
