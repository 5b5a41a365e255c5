"""What a company allows of its payments to QuickBooks, shown or changed by hand."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from include.cli.output import to_json

if TYPE_CHECKING:
    import argparse


def add_rule_commands(commands: Any) -> None:
    """Add ``payment-rules`` to the command line."""
    rules = commands.add_parser("payment-rules", help="show or set what a company allows of its payments")
    rules.add_argument("company_id", metavar="COMPANY")
    rules.add_argument("--json", action="store_true", help="for programs")
    rules.add_argument(
        "--rounding-limit", type=_amount, metavar="AMOUNT", help="most that is written off an invoice"
    )
    rules.add_argument(
        "--rounding-share",
        type=_amount,
        metavar="SHARE",
        help="likewise, as a share of what goes to it, such as 0.005",
    )
    rules.add_argument(
        "--approval-above",
        type=_limit,
        metavar="AMOUNT",
        help='payments of more than this wait for "delivery approve"; "none": none does',
    )
    rules.add_argument(
        "--excess",
        choices=("hold", "unapplied"),
        help="what becomes of money that an invoice no longer owes: the payment is held, or it is left unapplied",
    )
    rules.set_defaults(command=_rules)


def _amount(text: str) -> Decimal:
    import argparse

    try:
        return Decimal(text)
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount: write it like 1000.00") from None


def _limit(text: str) -> str:
    return text if text == "none" else str(_amount(text))


def _rules(options: argparse.Namespace) -> None:
    from include.hooks.receivables_db import ReceivablesDbHook
    from include.receivables.company.companies import get_company
    from include.receivables.outbound.rules import read_rules, set_rules

    given = {
        "rounding_limit": options.rounding_limit,
        "rounding_share": options.rounding_share,
        "approval_above": options.approval_above,
        "leaves_excess": None if options.excess is None else options.excess == "unapplied",
    }
    with ReceivablesDbHook().get_conn() as db:
        company = get_company(db, options.company_id)
        if any(value is not None for value in given.values()):
            set_rules(db, company, **given)
        rules = asdict(read_rules(db, company))
    if options.json:
        print(to_json(rules))
        return
    for name, value in rules.items():
        print(f"{name + ':':16}{'none' if value is None else value}")
