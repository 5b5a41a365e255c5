"""The entities of the sandbox, as a table of declarations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sandbox import faults

_SALES = frozenset(
    {
        "DocNumber",
        "TxnDate",
        "CustomerRef",
        "TotalAmt",
        "Balance",
        "HomeTotalAmt",
        "HomeBalance",
        "EmailStatus",
        "PrintStatus",
        "SalesTermRef",
        "CurrencyRef",
        "ExchangeRate",
        "BillEmail",
    }
)


@dataclass(frozen=True, slots=True)
class Entity:
    """
    What sets one entity apart from the others.

    :param name: as in a query and in JSON.
    :param kind: a list, a transaction, or a single record of the company.
    :param sequence: which counter gives its Ids; Intuit: transactions share one.
    :param filterable: what a query may filter and sort by, besides Id and MetaData.
    :param order: the property that a list is ordered by when a query does not say.
    :param counts_total: whether an answer has ``totalCount``.
    :param in_changes: whether change data capture knows it.
    """

    name: str
    kind: Literal["list", "transaction", "single"]
    sequence: str
    filterable: frozenset[str]
    order: str = ""
    counts_total: bool = False
    in_changes: bool = True

    @property
    def has_active(self) -> bool:
        """Lists have an Active flag and hide inactive records from a query."""
        return self.kind == "list"


_ALL = (
    Entity(
        "Account",
        "list",
        "account",
        frozenset(
            {
                "Name",
                "FullyQualifiedName",
                "Active",
                "Classification",
                "AccountType",
                "AccountSubType",
                "AcctNum",
                "CurrentBalance",
                "CurrentBalanceWithSubAccounts",
                "SubAccount",
                "ParentRef",
                "Description",
                "CurrencyRef",
            }
        ),
        order="FullyQualifiedName",
    ),
    Entity(
        "Customer",
        "list",
        "name",
        frozenset(
            {
                "DisplayName",
                "FullyQualifiedName",
                "Title",
                "GivenName",
                "MiddleName",
                "FamilyName",
                "Suffix",
                "CompanyName",
                "PrintOnCheckName",
                "Active",
                "Balance",
                "BalanceWithJobs",
                "Job",
                "BillWithParent",
                "ParentRef",
                "Level",
                "Taxable",
                "PrimaryEmailAddr",
                "PrimaryPhone",
                "CurrencyRef",
                "SalesTermRef",
                "PreferredDeliveryMethod",
            }
        ),
        order="FullyQualifiedName",
    ),
    Entity(
        "Item",
        "list",
        "item",
        frozenset(
            {
                "Name",
                "FullyQualifiedName",
                "Active",
                "Type",
                "Sku",
                "UnitPrice",
                "IncomeAccountRef",
                "Taxable",
            }
        ),
        order="FullyQualifiedName",
    ),
    Entity("PaymentMethod", "list", "payment_method", frozenset({"Name", "Active", "Type"}), order="Name"),
    Entity("Term", "list", "term", frozenset({"Name", "Active", "Type", "DueDays"}), order="Name"),
    Entity(
        "TaxCode",
        "list",
        "tax_code",
        frozenset({"Name", "Active", "Description", "Taxable", "TaxGroup", "Hidden"}),
        order="Name",
        counts_total=True,
        in_changes=False,
    ),
    Entity(
        "TaxRate",
        "list",
        "tax_rate",
        frozenset({"Name", "Active", "Description", "RateValue", "AgencyRef"}),
        order="Name",
        counts_total=True,
        in_changes=False,
    ),
    Entity(
        "Invoice",
        "transaction",
        "transaction",
        _SALES | {"DueDate", "ShipDate", "TrackingNum"},
        counts_total=True,
    ),
    Entity(
        "Payment",
        "transaction",
        "transaction",
        frozenset(
            {
                "TxnDate",
                "CustomerRef",
                "TotalAmt",
                "UnappliedAmt",
                "PaymentRefNum",
                "PaymentMethodRef",
                "DepositToAccountRef",
                "CurrencyRef",
                "ExchangeRate",
                "ProcessPayment",
            }
        ),
    ),
    Entity("CreditMemo", "transaction", "transaction", _SALES | {"RemainingCredit"}, counts_total=True),
    Entity(
        "JournalEntry",
        "transaction",
        "transaction",
        frozenset({"DocNumber", "TxnDate", "Adjustment", "TotalAmt", "CurrencyRef", "ExchangeRate"}),
        counts_total=True,
    ),
    Entity(
        "Deposit",
        "transaction",
        "transaction",
        frozenset({"TxnDate", "TotalAmt", "DepositToAccountRef", "CurrencyRef"}),
        counts_total=True,
    ),
    Entity(
        "Purchase",
        "transaction",
        "transaction",
        frozenset({"TxnDate", "TotalAmt", "PaymentType", "AccountRef", "DocNumber", "CurrencyRef"}),
        counts_total=True,
    ),
    Entity("CompanyInfo", "single", "company", frozenset({"CompanyName", "LegalName", "Country"})),
    Entity("Preferences", "single", "company", frozenset()),
)

ENTITIES = {entity.name: entity for entity in _ALL}
BY_PATH = {entity.name.lower(): entity for entity in _ALL}
TRANSACTIONS = tuple(entity.name for entity in _ALL if entity.kind == "transaction")


def by_name(name: str) -> Entity:
    """
    Find the entity of a query; the name is case sensitive (Intuit).

    :raises faults.Fault: 4001 when QuickBooks has no such entity.
    """
    if name not in ENTITIES:
        raise faults.invalid_query(f"Metadata not found for Entity: {name}")
    return ENTITIES[name]


def by_path(segment: str) -> Entity:
    """
    Find the entity of a URL, which is written in lower case.

    :raises faults.Fault: 500 when QuickBooks has no such entity.
    """
    if segment.lower() not in BY_PATH:
        raise faults.unsupported(segment)
    return BY_PATH[segment.lower()]
