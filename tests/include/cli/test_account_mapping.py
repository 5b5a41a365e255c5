from __future__ import annotations

import argparse
import json

import pytest

from include.cli.payments import add_account_mapping_commands
from include.errors import ConfigurationError


@pytest.fixture
def run(access, capsys):
    """Run a command and return what it printed."""
    parser = argparse.ArgumentParser()
    add_account_mapping_commands(parser.add_subparsers(required=True))

    def run(*arguments: str) -> str:
        options = parser.parse_args(("account-mapping", *arguments))
        options.command(options)
        return capsys.readouterr().out

    return run


@pytest.fixture
def company(bench):
    return bench.imported("empty", company_id="acme")


@pytest.fixture
def account_of(db, company):
    """Return the QuickBooks id of an account."""

    def account_of(name: str) -> str:
        statement = "select source_id from peakflo.account where company_id = %s and name = %s"
        return db.execute(statement, [company.company_id, name]).fetchone()[0]

    return account_of


def test_a_chosen_account_is_shown(run, account_of):
    chosen = run("set", "acme", "deposit_currency:USD", account_of("Checking"))
    shown = run("show", "acme")

    assert chosen == shown
    assert shown.splitlines()[1].split()[:4] == [
        "deposit_currency",
        "USD",
        account_of("Checking"),
        "Checking",
    ]


def test_programs_get_json(run, account_of):
    run("set", "acme", "withholding_tax_receivable:PPh 4(2)", account_of("Withholding Tax Receivable"))

    [row] = json.loads(run("show", "acme", "--json"))["mapped"]

    assert (row["purpose"], row["detail"]) == ("withholding_tax_receivable", "PPh 4(2)")
    assert (row["type"], row["status"], row["fault"]) == ("Other Current Asset", "active", None)


def test_a_wallet_may_have_any_name(run, account_of):
    run("set", "acme", "deposit_wallet:shop:eu", account_of("Checking"))

    [row] = json.loads(run("show", "acme", "--json"))["mapped"]

    assert row["detail"] == "shop:eu"


def test_an_account_that_cannot_serve_is_refused_in_one_sentence(run, account_of):
    with pytest.raises(ConfigurationError, match="is of type Expense: choose one of type Bank"):
        run("set", "acme", "deposit_currency:USD", account_of("Bank Charges"))

    assert json.loads(run("show", "acme", "--json"))["mapped"] == []


def test_a_company_that_does_not_exist_is_named(run):
    with pytest.raises(ConfigurationError, match="There is no company 'nobody'"):
        run("show", "nobody")


def test_what_has_to_be_mapped_and_is_not_is_listed(run, account_of):
    run("set", "acme", "rounding", account_of("Rounding"))

    missing = json.loads(run("show", "acme", "--json"))["missing"]

    assert [(row["purpose"], row["detail"]) for row in missing] == [
        ("processing_fees", ""),
        ("deposit_currency", "USD"),
    ]
    lines = run("show", "acme").splitlines()
    assert "processing fees" not in lines[0]
    assert [line.split()[0] for line in lines[1:]] == ["rounding", "processing_fees", "deposit_currency"]
    assert lines[2].endswith("not mapped yet")


def test_a_purpose_is_mapped_to_no_account_again(run, account_of):
    run("set", "acme", "deposit_wallet:GrabPay", account_of("Checking"))

    assert "GrabPay" not in run("remove", "acme", "deposit_wallet:GrabPay")
    with pytest.raises(ConfigurationError, match="No account is mapped for deposit_wallet:GrabPay"):
        run("remove", "acme", "deposit_wallet:GrabPay")


@pytest.mark.parametrize("purpose", ["funding_wallet:GrabPay", "disburse_wallet:GrabPay"])
def test_a_wallet_has_accounts_for_what_comes_and_goes(run, account_of, purpose):
    run("set", "acme", purpose, account_of("Savings"))

    [row] = json.loads(run("show", "acme", "--json"))["mapped"]

    assert (f"{row['purpose']}:{row['detail']}", row["name"]) == (purpose, "Savings")


def test_an_account_for_payables_has_to_be_a_liability(run, account_of):
    run("set", "acme", "withholding_tax_payable", account_of("Sales Tax Payable"))
    run("set", "acme", "bill_item_default", account_of("Bank Charges"))
    with pytest.raises(ConfigurationError, match="choose one of type Other Current Liability"):
        run("set", "acme", "withholding_tax_payable", account_of("Checking"))
