"""What every new company has: a chart of accounts, items, terms, payment methods, taxes and preferences."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox import accounts, items, small_lists
from sandbox.chart import PAYABLE, RECEIVABLE, account_ref, by_sub_type, currency_ref
from sandbox.json_text import plain

if TYPE_CHECKING:
    from sandbox.books import Books

_ACCOUNTS = (
    ("Checking", "Bank", "Checking"),
    ("Savings", "Bank", "Savings"),
    ("Accounts Receivable (A/R)", RECEIVABLE, "AccountsReceivable"),
    ("Undeposited Funds", "Other Current Asset", "UndepositedFunds"),
    ("Withholding Tax Receivable", "Other Current Asset", "OtherCurrentAssets"),
    ("Accounts Payable (A/P)", PAYABLE, "AccountsPayable"),
    ("Mastercard", "Credit Card", "CreditCard"),
    ("Sales Tax Payable", "Other Current Liability", "GlobalTaxPayable"),
    ("Loan Payable", "Other Current Liability", "OtherCurrentLiabilities"),
    ("Opening Balance Equity", "Equity", "OpeningBalanceEquity"),
    ("Retained Earnings", "Equity", "RetainedEarnings"),
    ("Services", "Income", "ServiceFeeIncome"),
    ("Sales of Product Income", "Income", "SalesOfProductIncome"),
    ("Discounts given", "Income", "DiscountsRefundsGiven"),
    ("Cost of Goods Sold", "Cost of Goods Sold", "SuppliesMaterialsCogs"),
    ("Bank Charges", "Expense", "BankCharges"),
    ("Payment Processing Fees", "Expense", "OtherMiscellaneousServiceCost"),
    ("Rounding", "Expense", "OtherMiscellaneousServiceCost"),
    ("Bad Debts", "Expense", "BadDebts"),
    ("Exchange Gain or Loss", "Other Expense", "ExchangeGainOrLoss"),
)
_ITEMS = (
    ("Services", "Services", "0"),
    ("Hours", "Services", "95"),
    ("Design", "Services", "75"),
    ("Rock Fountain", "Sales of Product Income", "275"),
    ("Sprinkler Pipes", "Sales of Product Income", "4"),
    ("Maintenance & Repair", "Services", "49.5"),
)
_TERMS: tuple[dict[str, Any], ...] = (
    {"Name": "Due on receipt", "DueDays": 0},
    {"Name": "Net 15", "DueDays": 15},
    {"Name": "Net 30", "DueDays": 30},
    {"Name": "Net 60", "DueDays": 60},
    {"Name": "2% 10 Net 30", "DueDays": 30, "DiscountDays": 10, "DiscountPercent": 2},
    {"Name": "5th of the month", "DayOfMonthDue": 5, "DueNextMonthDays": 5},
)
_PAYMENT_METHODS = (
    ("Cash", "NON_CREDIT_CARD"),
    ("Check", "NON_CREDIT_CARD"),
    ("Visa", "CREDIT_CARD"),
    ("MasterCard", "CREDIT_CARD"),
    ("Bank Transfer", "NON_CREDIT_CARD"),
    ("PayNow", "NON_CREDIT_CARD"),
)
_US_TAXES: tuple[tuple[str, tuple[str, ...]], ...] = (("California", ("8",)), ("Tucson", ("2", "7.1")))
_OTHER_TAXES: tuple[tuple[str, tuple[str, ...]], ...] = (("GST 9%", ("9",)), ("Zero-rated", ("0",)))


def fill(books: Books, name: str, country: str, age_days: int = 0) -> None:
    """Fill the books of a new company, or of one that began some days ago."""
    books.begin(books.clock.now() - age_days * 86_400)
    for account, kind, sub_type in _ACCOUNTS:
        accounts.create(books, {"Name": account, "AccountType": kind, "AccountSubType": sub_type})
    for item, income, price in _ITEMS:
        account = books.index.named("Account", income) or ""
        items.create(
            books,
            {
                "Name": item,
                "IncomeAccountRef": account_ref(books, account),
                "UnitPrice": plain(_decimal(price)),
            },
        )
    for term in _TERMS:
        small_lists.create_term(books, dict(term))
    for method, kind in _PAYMENT_METHODS:
        small_lists.create_payment_method(books, {"Name": method, "Type": kind})
    for tax, rates in _US_TAXES if country == "US" else _OTHER_TAXES:
        add_tax_code(books, tax, [_decimal(rate) for rate in rates])
    books.reserve("document", 1000)
    books.add("CompanyInfo", _company_info(books, name, country), "1")
    books.add("Preferences", _preferences(books, name, country), "1")


def _decimal(text: str) -> Decimal:
    return plain(Decimal(text))


def add_tax_code(books: Books, name: str, rates: list[Decimal]) -> str:
    """Enter a tax code with one rate for each part, and return its Id."""
    details = []
    for number, rate in enumerate(rates, 1):
        rate_name = name if len(rates) == 1 else f"{name} {number}"
        rate_id = books.add("TaxRate", _tax_rate(rate_name, rate)).id
        details.append(
            {
                "TaxRateRef": {"value": rate_id, "name": rate_name},
                "TaxTypeApplicable": "TaxOnAmount",
                "TaxOrder": 0,
            }
        )
    code = {
        "Name": name,
        "Description": name,
        "Active": True,
        "Hidden": False,
        "Taxable": True,
        "TaxGroup": True,
        "SalesTaxRateList": {"TaxRateDetail": details},
        "PurchaseTaxRateList": {"TaxRateDetail": []},
    }
    return books.add("TaxCode", code).id


def _tax_rate(name: str, rate: Decimal) -> dict[str, Any]:
    return {
        "Name": name,
        "Description": "Sales Tax",
        "Active": True,
        "RateValue": rate,
        "AgencyRef": {"value": "1"},
        "TaxReturnLineRef": {"value": "1"},
        "EffectiveTaxRate": [{"RateValue": rate, "EffectiveDate": "2015-01-01T00:00:00-08:00"}],
        "SpecialTaxType": "NONE",
        "DisplayType": "ReadOnly",
    }


def _company_info(books: Books, name: str, country: str) -> dict[str, Any]:
    address = {
        "Id": "1",
        "Line1": "123 Sierra Way",
        "City": "San Pablo",
        "PostalCode": "87999",
        "Country": country,
    }
    facts = {
        "NeoEnabled": "true",
        "IndustryType": "Landscaping Services",
        "IndustryCode": "541320",
        "SubscriptionStatus": "PAID",
        "OfferingSku": "QuickBooks Online Plus",
        "PayrollFeature": "false",
        "AccountantFeature": "false",
    }
    return {
        "CompanyName": name,
        "LegalName": name,
        "CompanyAddr": address,
        "CustomerCommunicationAddr": address,
        "LegalAddr": address,
        "PrimaryPhone": {},
        "CompanyStartDate": books.clock.today().replace(month=1, day=1).isoformat(),
        "FiscalYearStartMonth": "January",
        "Country": country,
        "Email": {"Address": "books@example.com"},
        "WebAddr": {},
        "SupportedLanguages": "en",
        "NameValue": [{"Name": key, "Value": value} for key, value in facts.items()],
    }


def _preferences(books: Books, name: str, country: str) -> dict[str, Any]:
    return {
        "AccountingInfoPrefs": {
            "UseAccountNumbers": False,
            "TrackDepartments": False,
            "ClassTrackingPerTxn": False,
            "ClassTrackingPerTxnLine": False,
            "FirstMonthOfFiscalYear": "January",
            "TaxYearMonth": "January",
            "TaxForm": "6",
            "CustomerTerminology": "Customers",
        },
        "ProductAndServicesPrefs": {
            "ForSales": True,
            "ForPurchase": True,
            "QuantityWithPriceAndRate": True,
            "QuantityOnHand": False,
        },
        "SalesFormsPrefs": {
            "CustomTxnNumbers": False,
            "EmailCopyToCompany": False,
            "AllowDeposit": False,
            "AllowDiscount": True,
            "AllowEstimates": True,
            "ETransactionEnabledStatus": "NotApplicable",
            "ETransactionAttachPDF": False,
            "ETransactionPaymentEnabled": False,
            "IPNSupportEnabled": False,
            "AllowServiceDate": False,
            "AllowShipping": False,
            "AutoApplyCredit": False,
            "AutoApplyPayments": False,
            "UsingPriceLevels": False,
            "DefaultCustomerMessage": "Thank you for your business!",
        },
        "EmailMessagesPrefs": {"InvoiceMessage": {"Subject": f"Invoice from {name}"}},
        "VendorAndPurchasesPrefs": {"TrackingByCustomer": True, "BillableExpenseTracking": False},
        "TimeTrackingPrefs": {"UseServices": True, "BillCustomers": True, "WorkWeekStartDate": "Monday"},
        "TaxPrefs": {"UsingSalesTax": True, "PartnerTaxEnabled": country == "US"},
        "CurrencyPrefs": {
            "MultiCurrencyEnabled": books.multicurrency,
            "HomeCurrency": {"value": currency_ref(books.home_currency)["value"]},
        },
        "ReportPrefs": {"ReportBasis": "Accrual", "CalcAgingReportFromTxnDate": False},
        "OtherPrefs": {
            "NameValue": [
                {"Name": "SalesFormsPrefs.DefaultItem", "Value": "1"},
                {"Name": "UncategorizedIncomeAccountId", "Value": by_sub_type(books, "ServiceFeeIncome")},
                {"Name": "WarnDuplicateCheckNumber", "Value": "true"},
                {"Name": "WarnDuplicateBillNumber", "Value": "false"},
                {"Name": "WarnDuplicateJournalNumber", "Value": "false"},
            ]
        },
    }
