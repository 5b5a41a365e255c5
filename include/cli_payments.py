"""The account mapping by hand: which account of QuickBooks takes what of Peakflo's payments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.cli_output import print_table, to_json

if TYPE_CHECKING:
    import argparse


def add_account_mapping_commands(commands: Any) -> None:
    """Add ``account-mapping show`` and ``account-mapping set`` to the command line."""
    mapping = commands.add_parser(
        "account-mapping", help="show or choose the accounts that Peakflo's payments move"
    )
    actions = mapping.add_subparsers(required=True, metavar="ACTION")
    show = actions.add_parser("show", help="show the mapped accounts, and what is wrong with them")
    choose = actions.add_parser("set", help="map a purpose to an account of QuickBooks")
    for action, command in ((show, _show), (choose, _set)):
        action.add_argument("company_id", metavar="COMPANY")
        action.add_argument("--json", action="store_true", help="for programs")
        action.set_defaults(command=command)
    choose.add_argument(
        "purpose",
        metavar="PURPOSE[:DETAIL]",
        help="deposit_currency:USD, deposit_wallet:NAME, processing_fees, rounding, "
        "withholding_tax_receivable[:TYPE] or receivable:USD",
    )
    choose.add_argument("account_id", metavar="ACCOUNT_ID", help="QuickBooks' id of the account")


def _show(options: argparse.Namespace) -> None:
    from include.hooks.receivables_db import ReceivablesDbHook
    from include.receivables.companies import get_company

    with ReceivablesDbHook().get_conn() as db:
        _print(db, get_company(db, options.company_id), as_json=options.json)


def _set(options: argparse.Namespace) -> None:
    from include.hooks.receivables_db import ReceivablesDbHook
    from include.receivables.account_mapping import save_account
    from include.receivables.companies import get_company

    purpose, _, detail = options.purpose.partition(":")
    with ReceivablesDbHook().get_conn() as db:
        company = get_company(db, options.company_id)
        save_account(db, company, purpose, detail, options.account_id, mapped_by="command line")
        _print(db, company, as_json=options.json)


def _print(db: Any, company: Any, *, as_json: bool) -> None:
    from include.receivables.account_mapping import list_mapping

    rows = list_mapping(db, company)
    if as_json:
        print(to_json(rows))
    else:
        print_table(("purpose", "detail", "qbo_id", "name", "type", "currency", "status", "fault"), rows)
