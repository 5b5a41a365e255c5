from __future__ import annotations

import pytest

from include.errors import ConfigurationError
from include.receivables.company import companies
from include.receivables.connecting import consent
from include.receivables.outbound import account_mapping
from include.receivables.outbound.account_mapping import PURPOSES
from include.receivables.views import mapping_form
from include.receivables.views.mapping_layout import KIND_OF
from tests.support.outgoing import Payer, invoice, open_company


@pytest.fixture
def payer(bench, keep_books) -> Payer:
    return open_company(bench, keep_books)


@pytest.fixture
def fresh(bench):
    """A company that was just connected: only its own facts and its accounts are known."""
    company = bench.connect("empty", company_id="acme")
    consent.read_first(bench.access, "acme")
    return company


def rows(bench, company, **options) -> dict[tuple[str, str], mapping_form.Row]:
    groups = mapping_form.read_form(bench.db, company, **options)
    return {row.key: row for group in groups for row in group.rows}


def saved(bench, company) -> dict[tuple[str, str], str]:
    mapped = account_mapping.list_mapping(bench.db, company)
    return {(row["purpose"], row["detail"]): row["name"] for row in mapped}


def suggested(form) -> dict[tuple[str, str], str]:
    return {key: row.chosen for key, row in form.items()}


def test_every_purpose_has_its_place_on_the_form():
    assert set(KIND_OF) == set(PURPOSES)


def test_a_company_that_was_just_connected_is_offered_likely_accounts(bench, fresh):
    form = rows(bench, fresh)

    likely = {key: row.account.name for key, row in form.items() if row.account}
    assert likely == {
        ("processing_fees", ""): "Payment Processing Fees",
        ("rounding", ""): "Rounding",
        ("withholding_tax_receivable", ""): "Withholding Tax Receivable",
        ("deposit_currency", "USD"): "Checking",
    }
    assert {key for key, row in form.items() if row.is_mandatory} == {
        ("processing_fees", ""),
        ("rounding", ""),
        ("deposit_currency", "USD"),
    }
    assert not any(row.is_saved or row.fault for row in form.values())


def test_only_accounts_of_a_fitting_type_and_currency_are_offered(payer, bench):
    payer.books.write("Account", Name="Euro bank", AccountType="Bank", CurrencyRef={"value": "EUR"})
    payer.books.write("Account", Name="Old bank", AccountType="Bank")
    bench.sync(payer.company)
    payer.books.change("Account", payer.account("Old bank"), Active=False)
    bench.sync(payer.company)

    form = rows(bench, payer.company, added=[("currency", "GBP")])

    names = {key: [account.name for account in row.choices] for key, row in form.items()}
    assert names["processing_fees", ""] == [
        "Bad Debts",
        "Bank Charges",
        "Cost of Goods Sold",
        "Exchange Gain or Loss",
        "Payment Processing Fees",
        "Rounding",
    ]
    assert "Euro bank" in names["deposit_currency", "EUR"]
    assert "Euro bank" not in names["deposit_currency", "USD"]
    assert "Euro bank" not in names["deposit_currency", "GBP"]
    assert not any("Old bank" in listed for listed in names.values())
    # The very currency before the company's own, a bank before other accounts.
    assert form["deposit_currency", "EUR"].account.name == "Euro bank"
    assert form["deposit_currency", "GBP"].account.name == "Checking"


def test_the_currencies_wallets_and_taxes_that_are_known_are_listed(payer, bench):
    payer.books.customer("Rive", CurrencyRef={"value": "EUR"})
    bench.sync(payer.company)
    bill = payer.books.invoice(payer.customer, "100", TxnDate="2026-11-02")
    bench.sync(payer.company)
    payer.take(
        "98",
        invoice(bill, "98", withholding_tax_amount="2", withholding_tax_type="PPh 23"),
        wallet="Checking EU",
    )

    form = rows(bench, payer.company)

    assert {detail for purpose, detail in form if purpose == "deposit_currency"} == {"EUR", "USD"}
    assert {detail for purpose, detail in form if purpose == "deposit_wallet"} == {"Checking EU", "PayNow"}
    assert {detail for purpose, detail in form if purpose == "funding_wallet"} == {"Checking EU", "PayNow"}
    assert {detail for purpose, detail in form if purpose == "withholding_tax_payable"} == {"", "PPh 23"}


def test_a_receivable_account_is_asked_for_only_where_quickbooks_has_several(payer, bench):
    assert ("receivable", "USD") not in rows(bench, payer.company)
    payer.books.write("Account", Name="Other A/R", AccountType="Accounts Receivable")
    bench.sync(payer.company)
    row = rows(bench, payer.company)["receivable", "USD"]
    assert (len(row.choices), row.chosen) == (2, "")


def test_all_choices_are_saved_at_once_or_none(bench, fresh):
    likely = suggested(rows(bench, fresh))
    wrong = likely | {("rounding", ""): likely["deposit_currency", "USD"]}

    with pytest.raises(ConfigurationError, match="is of type Bank: choose one of type Expense"):
        mapping_form.save_all(bench.db, fresh, wrong, mapped_by="engineer")
    assert saved(bench, fresh) == {}

    mapping_form.save_all(bench.db, fresh, likely, mapped_by="engineer")
    assert saved(bench, fresh)["rounding", ""] == "Rounding"
    assert mapping_form.list_unmapped(bench.db, fresh) == []
    assert all(row.is_saved for row in rows(bench, fresh).values() if row.chosen)
    who = bench.db.execute("select distinct mapped_by from sync.account_mapping").fetchall()
    assert who == [("engineer",)]


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        ({("rounding", ""): ""}, "Choose an account"),
        ({("rounding", ""): "99999"}, "no account 99999"),
        ({("deposit_currency", "usd"): "1"}, "is no currency"),
        ({("tips", ""): "1"}, "There is no purpose 'tips'"),
        ({("deposit_wallet", ""): "1"}, "needs a wallet"),
    ],
)
def test_what_cannot_be_saved_is_told(bench, fresh, choice, sentence):
    chosen = suggested(rows(bench, fresh)) | choice
    with pytest.raises(ConfigurationError, match=sentence):
        mapping_form.save_all(bench.db, fresh, chosen, mapped_by="engineer")
    assert saved(bench, fresh) == {}


def test_an_account_that_went_out_of_use_is_at_fault_until_another_one_is_chosen(payer, bench):
    payer.books.change("Account", payer.account("Rounding"), Active=False)
    bench.sync(payer.company)

    [row] = mapping_form.list_unmapped(bench.db, payer.company)

    assert row.key == ("rounding", "")
    assert "is not active" in row.fault
    assert row.account is None
    chosen = {("rounding", ""): payer.account("Bank Charges")}
    mapping_form.save_all(bench.db, payer.company, chosen, mapped_by="engineer")
    assert mapping_form.list_unmapped(bench.db, payer.company) == []


def test_an_optional_account_is_mapped_to_none_again(payer, bench):
    chosen = {("withholding_tax_receivable", ""): ""}
    mapping_form.save_all(bench.db, payer.company, chosen, mapped_by="engineer")
    assert ("withholding_tax_receivable", "") not in saved(bench, payer.company)


def test_payments_that_wait_for_an_account_are_counted_and_woken_once_it_is_mapped(payer, bench):
    bench.db.execute("delete from sync.account_mapping where purpose = 'processing_fees'")
    bench.db.execute("delete from sync.account_mapping where purpose like 'withholding%'")
    for _ in range(2):
        bill = payer.books.invoice(payer.customer, "100", TxnDate="2026-11-02")
        bench.sync(payer.company)
        payer.take(
            "98",
            invoice(bill, "98", withholding_tax_amount="2", withholding_tax_type="PPh 23"),
            processing_fee="1",
        )

    waiting = {row.key: row.waiting for row in mapping_form.list_unmapped(bench.db, payer.company)}

    assert waiting == {("processing_fees", ""): 2, ("withholding_tax_receivable", "PPh 23"): 2}
    listener = bench.access.connect()
    listener.execute("listen outbox_delivery")
    chosen = {
        ("processing_fees", ""): payer.account("Bank Charges"),
        ("withholding_tax_receivable", "PPh 23"): payer.account("Withholding Tax Receivable"),
    }
    mapping_form.save_all(bench.db, payer.company, chosen, mapped_by="engineer")
    assert [notice.payload for notice in listener.notifies(timeout=5, stop_after=1)] == [
        payer.company.company_id
    ]
    listener.close()
    assert mapping_form.list_unmapped(bench.db, payer.company) == []


def test_other_books_have_a_form_of_their_own(payer, bench):
    other = bench.connect("empty", company_id=payer.company.company_id)
    assert companies.get_company(bench.db, other.company_id).realm_id != payer.company.realm_id
    form = rows(bench, other)
    assert [row.choices for row in form.values() if row.choices] == []
    assert not any(row.is_saved for row in form.values())
