"""What is read from QuickBooks, as a table of declarations."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entity:
    """
    A kind of QuickBooks record.

    :param name: QuickBooks' name, case sensitive in statements.
    :param table: the staging table.
    :param in_changes: whether change data capture covers it.
    :param is_list: whether it has Active. Intuit: a list shows active records only, unless asked for both.
    :param is_single: whether a company has exactly one, so that there is nothing to order or to page.
    :param is_partial: whether only those are staged that change, so that what is not there says nothing.
    """

    name: str
    table: str
    in_changes: bool = True
    is_list: bool = False
    is_single: bool = False
    is_partial: bool = False


ACCOUNT = Entity("Account", "account", is_list=True)
CUSTOMER = Entity("Customer", "customer", is_list=True)
INVOICE = Entity("Invoice", "invoice")
PAYMENT = Entity("Payment", "payment")
CREDIT_MEMO = Entity("CreditMemo", "credit_memo")
# Intuit: change data capture does not support TaxCode and TaxRate.
TAX_CODE = Entity("TaxCode", "tax_code", in_changes=False, is_list=True)
TAX_RATE = Entity("TaxRate", "tax_rate", in_changes=False, is_list=True)
PAYMENT_METHOD = Entity("PaymentMethod", "payment_method", is_list=True)
TERM = Entity("Term", "term", is_list=True)
# Intuit does not say whether change data capture covers these two, so they are asked for directly.
COMPANY_INFO = Entity("CompanyInfo", "company_info", in_changes=False, is_single=True)
PREFERENCES = Entity("Preferences", "preferences", in_changes=False, is_single=True)
# Of them only Peakflo's own matter, those of fees, taxes and rounding.
JOURNAL_ENTRY = Entity("JournalEntry", "journal_entry", is_partial=True)

ENTITIES = (
    ACCOUNT,
    CUSTOMER,
    INVOICE,
    PAYMENT,
    CREDIT_MEMO,
    TAX_CODE,
    TAX_RATE,
    PAYMENT_METHOD,
    TERM,
    COMPANY_INFO,
    PREFERENCES,
    JOURNAL_ENTRY,
)
BY_NAME = {entity.name: entity for entity in ENTITIES}

# What is taken into Peakflo with each cycle.
SYNCED = (ACCOUNT, CUSTOMER, INVOICE, CREDIT_MEMO, PAYMENT)
# One call of change data capture asks for all of these.
CAPTURED = (*SYNCED, JOURNAL_ENTRY)
