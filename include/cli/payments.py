"""The account mapping by hand: which account of QuickBooks takes what of Peakflo's payments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.cli.output import print_table, to_json

if TYPE_CHECKING:
    import argparse


def add_account_mapping_commands(commands: Any) -> None:
    """Add ``account-mapping show``, ``set`` and ``remove`` to the command line."""
    mapping = commands.add_parser(
        "account-mapping", help="show or choose the accounts that Peakflo's payments move"
    )
    actions = mapping.add_subparsers(required=True, metavar="ACTION")
    show = actions.add_parser(
        "show", help="show the mapped accounts and what is wrong with them, and those that are missing"
    )
    choose = actions.add_parser("set", help="map a purpose to an account of QuickBooks")
    remove = actions.add_parser("remove", help="map a purpose to no account any more")
    for action, command in ((show, _show), (choose, _set), (remove, _remove)):
        action.add_argument("company_id", metavar="COMPANY")
        action.add_argument("--json", action="store_true", help="for programs")
        action.set_defaults(command=command)
    for action in (choose, remove):
        action.add_argument(
            "purpose",
            metavar="PURPOSE[:DETAIL]",
            help="deposit_currency:USD, deposit_wallet:NAME, funding_wallet:NAME, disburse_wallet:NAME, "
            "processing_fees, rounding, bill_item_default, withholding_tax_receivable[:TYPE], "
            "withholding_tax_payable[:TYPE] or receivable:USD",
        )
    choose.add_argument("account_id", metavar="ACCOUNT_ID", help="QuickBooks' id of the account")


def _show(options: argparse.Namespace) -> None:
    from include.hooks.receivables_db import ReceivablesDbHook
    from include.receivables.company.companies import get_company

    with ReceivablesDbHook().get_conn() as db:
        _print(db, get_company(db, options.company_id), as_json=options.json)


def _set(options: argparse.Namespace) -> None:
    from include.hooks.receivables_db import ReceivablesDbHook
    from include.receivables.company.companies import get_company
    from include.receivables.outbound.account_mapping import save_account

    purpose, _, detail = options.purpose.partition(":")
    with ReceivablesDbHook().get_conn() as db:
        company = get_company(db, options.company_id)
        save_account(db, company, purpose, detail, options.account_id, mapped_by="command line")
        _print(db, company, as_json=options.json)


def _remove(options: argparse.Namespace) -> None:
    from include.hooks.receivables_db import ReceivablesDbHook
    from include.receivables.company.companies import get_company
    from include.receivables.outbound.account_mapping import remove_account

    purpose, _, detail = options.purpose.partition(":")
    with ReceivablesDbHook().get_conn() as db:
        company = get_company(db, options.company_id)
        remove_account(db, company, purpose, detail)
        _print(db, company, as_json=options.json)


def _print(db: Any, company: Any, *, as_json: bool) -> None:
    from include.receivables.outbound.account_mapping import list_mapping
    from include.receivables.views.mapping_form import list_unmapped

    mapped = list_mapping(db, company)
    missing = [_missing(row) for row in list_unmapped(db, company) if row.fault is None]
    if as_json:
        print(to_json({"mapped": mapped, "missing": missing}))
        return
    columns = ("purpose", "detail", "qbo_id", "name", "type", "currency", "status", "fault")
    print_table(columns, [*mapped, *missing])


def _missing(row: Any) -> dict[str, Any]:
    """Return a row of what has to be mapped and is not."""
    fault = "not mapped yet"
    if row.waiting:
        fault += f": payments that wait for it: {row.waiting}"
    return {"purpose": row.purpose, "detail": row.detail, "waiting": row.waiting, "fault": fault}
