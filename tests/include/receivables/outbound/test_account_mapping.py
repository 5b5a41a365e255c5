from __future__ import annotations

import pytest

from include.errors import ConfigurationError
from include.receivables.outbound import account_mapping
from tests.support.outgoing import Payer, open_company


@pytest.fixture
def payer(bench, keep_books) -> Payer:
    return open_company(bench, keep_books)


def listed(payer: Payer) -> dict[tuple[str, str], dict]:
    rows = account_mapping.list_mapping(payer.bench.db, payer.company)
    return {(row["purpose"], row["detail"]): row for row in rows}


def save(payer: Payer, purpose: str, detail: str, account_id: str) -> None:
    account_mapping.save_account(payer.bench.db, payer.company, purpose, detail, account_id, mapped_by="test")


def test_a_purpose_is_mapped_anew(payer):
    payer.map_account("processing_fees", "", "Bank Charges")

    row = listed(payer)["processing_fees", ""]

    assert (row["name"], row["fault"]) == ("Bank Charges", None)


def test_currencies_wallets_and_types_of_tax_are_told_apart(payer):
    payer.map_account("deposit_wallet", "GrabPay", "Undeposited Funds")
    payer.map_account("withholding_tax_receivable", "PPh 23", "Undeposited Funds")

    rows = listed(payer)

    assert rows["deposit_wallet", "PayNow"]["name"] == "Savings"
    assert rows["deposit_wallet", "GrabPay"]["name"] == "Undeposited Funds"
    assert rows["withholding_tax_receivable", ""]["name"] == "Withholding Tax Receivable"


def test_what_cannot_serve_is_not_saved(payer):
    before = listed(payer)
    inactive = payer.books.write("Account", Name="Old bank", AccountType="Bank")["Id"]
    euro = payer.books.write("Account", Name="Euro bank", AccountType="Bank", CurrencyRef={"value": "EUR"})[
        "Id"
    ]
    payer.books.change("Account", inactive, Active=False)
    payer.bench.sync(payer.company)
    fees, checking = payer.account("Bank Charges"), payer.account("Checking")

    refusals = {
        ("deposit_currency", "USD", "99999"): "no account 99999",
        ("deposit_currency", "USD", inactive): "is not active",
        ("deposit_currency", "USD", euro): "is in EUR: choose one in USD",
        (
            "deposit_currency",
            "USD",
            fees,
        ): "is of type Expense: choose one of type Bank or Other Current Asset",
        ("processing_fees", "", checking): "is of type Bank",
        ("rounding", "", checking): "is of type Bank",
        ("withholding_tax_receivable", "PPh 23", fees): "is of type Expense",
        ("receivable", "USD", checking): "is of type Bank",
        ("deposit_currency", "usd", checking): "'usd' is no currency",
        ("deposit_currency", "", checking): "needs a currency: write it as deposit_currency:CURRENCY",
        ("deposit_wallet", "", checking): "needs a wallet",
        ("processing_fees", "USD", fees): "leave 'USD' out",
        ("tips", "", checking): "There is no purpose 'tips'",
    }
    for arguments, sentence in refusals.items():
        with pytest.raises(ConfigurationError, match=sentence.replace("(", r"\(")):
            save(payer, *arguments)
    assert listed(payer) == before


def test_a_foreign_payment_may_go_to_an_account_of_its_currency_or_of_the_companys(payer):
    payer.books.customer("Rive", CurrencyRef={"value": "EUR"})
    euro = payer.books.write("Account", Name="Euro bank", AccountType="Bank", CurrencyRef={"value": "EUR"})[
        "Id"
    ]
    payer.bench.sync(payer.company)

    save(payer, "deposit_currency", "EUR", euro)
    save(payer, "deposit_currency", "EUR", payer.account("Checking"))

    with pytest.raises(ConfigurationError, match="is in EUR: choose one in GBP"):
        save(payer, "deposit_currency", "GBP", euro)
    # A receivable is only of its own currency.
    with pytest.raises(ConfigurationError, match="is in USD: choose one in EUR"):
        save(payer, "receivable", "EUR", payer.account("Accounts Receivable (A/R)"))


def test_an_account_that_went_out_of_use_is_shown_as_at_fault(payer):
    payer.books.change("Account", payer.account("Savings"), Active=False)
    payer.bench.sync(payer.company)

    faults = {key: row["fault"] for key, row in listed(payer).items() if row["fault"]}

    [(key, fault)] = faults.items()
    assert key == ("deposit_wallet", "PayNow")
    assert "is not active" in fault


def test_another_quickbooks_company_starts_with_no_accounts(payer, bench):
    other = bench.connect("empty", company_id="another")

    assert account_mapping.list_mapping(bench.db, other) == []
    assert len(listed(payer)) == 5
