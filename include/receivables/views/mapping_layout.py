"""The groups of the account mapping as people meet them, and what tells which account is meant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layout:
    """
    A group before it is filled.

    :param purposes: each with a label and a help.
    :param kind: of the details that tell its rows apart.
    :param has_any: whether there is a row without a detail.
    :param any_label: how that row is called.
    :param is_where_several: whether to ask only where QuickBooks has several accounts that fit.
    """

    title: str
    help: str
    purposes: tuple[tuple[str, str, str], ...]
    kind: str = ""
    has_any: bool = True
    any_label: str = ""
    is_where_several: bool = False


LAYOUT = (
    Layout(
        "Payment processing fees",
        "Bank and card processors keep a fee from what your customers pay.",
        (("processing_fees", "Fees", "The account that takes the fee of each payment."),),
    ),
    Layout(
        "Bill item default",
        "Used by Peakflo's payables. Payments from customers do not need it.",
        (("bill_item_default", "Bill items without an account", "Takes bill items that name no account."),),
    ),
    Layout(
        "Rounding account",
        "A cent too little or too much should not keep an invoice open.",
        (("rounding", "Rounding", "Takes what is written off to close an invoice."),),
    ),
    Layout(
        "Withholding tax",
        "Your customers may keep back tax and pay it for you. Each type may have accounts of its own.",
        (
            ("withholding_tax_receivable", "for receivables", "Takes the tax that customers kept back."),
            ("withholding_tax_payable", "for payables", "Used by Peakflo's payables."),
        ),
        kind="tax",
        any_label="Any type",
    ),
    Layout(
        "Wallets to bank accounts",
        "Where the money of each wallet lies. Without a wallet account, the bank account of the payment's currency "
        "takes its payments.",
        (
            ("deposit_wallet", "wallet account", "Takes payments that arrive in the wallet."),
            ("funding_wallet", "funding account", "Tops the wallet up. Used by Peakflo's payables."),
            ("disburse_wallet", "disburse account", "Takes what is paid out of the wallet to your bank."),
        ),
        kind="wallet",
        has_any=False,
    ),
    Layout(
        "Currencies to bank accounts",
        "Where payments in each currency arrive.",
        (("deposit_currency", "bank account", "An account of this currency, or of the company's own."),),
        kind="currency",
        has_any=False,
    ),
    Layout(
        "Receivable accounts",
        "QuickBooks has several accounts receivable in these currencies: name the one that your invoices use.",
        (("receivable", "receivable account", "Needed for fees, taxes and rounding only."),),
        kind="currency",
        has_any=False,
        is_where_several=True,
    ),
)
KIND_OF = {purpose: layout.kind for layout in LAYOUT for purpose, *_ in layout.purposes}
# Names that tell what an account is for, the most telling first.
TELLING = {
    "processing_fees": (r"processing", r"merchant|stripe|paypal", r"bank (charge|fee)", r"fees?\b"),
    "bill_item_default": (r"uncategori[sz]ed", r"ask my accountant", r"miscellaneous"),
    "rounding": (r"round", r"miscellaneous", r"bank (charge|fee)"),
    "withholding_tax_receivable": (r"with-?holding", r"\bwht\b"),
    "withholding_tax_payable": (r"with-?holding", r"\bwht\b"),
    "deposit_currency": (r"checking|current", r"operating|main", r"bank", r""),
}
