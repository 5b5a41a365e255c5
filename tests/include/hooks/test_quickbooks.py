from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from include.errors import ConfigurationError
from include.hooks.access import get_access
from include.hooks.quickbooks import QuickBooksHook
from include.quickbooks.oauth import INTUIT
from include.receivables.company.budget import ReadLimit


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ("production", "https://quickbooks.api.intuit.com"),
        ("sandbox", "https://sandbox-quickbooks.api.intuit.com"),
    ],
)
def test_the_environment_decides_on_the_address_of_the_api(define_quickbooks, environment, url):
    define_quickbooks(environment=environment)

    assert QuickBooksHook().api_url == url
    assert QuickBooksHook().get_conn().environment == environment


def test_without_an_environment_it_is_production(define_quickbooks):
    define_quickbooks()

    assert QuickBooksHook().api_url == "https://quickbooks.api.intuit.com"
    assert QuickBooksHook().get_conn().environment == "production"


def test_an_address_of_its_own_goes_before_intuits(define_quickbooks):
    define_quickbooks(environment="sandbox", api_url="http://127.0.0.1:1234")

    assert QuickBooksHook().api_url == "http://127.0.0.1:1234"


def test_login_and_redirect_uri_are_those_of_the_app(define_quickbooks):
    define_quickbooks(environment="sandbox", redirect_uri="https://peakflo.example/callback")

    query = parse_qs(urlsplit(QuickBooksHook().get_conn().authorize_url("a-state")).query)

    assert query["client_id"] == ["the-id"]
    assert query["redirect_uri"] == ["https://peakflo.example/callback"]


def test_without_a_discovery_url_the_endpoints_are_intuits(define_quickbooks):
    define_quickbooks(environment="sandbox")

    assert QuickBooksHook().get_conn().endpoints == INTUIT


def test_a_discovery_url_replaces_intuits_endpoints(define_quickbooks, sandbox):
    define_quickbooks(environment="sandbox", discovery_url=sandbox.discovery_url)

    assert QuickBooksHook().get_conn().endpoints.token.startswith(sandbox.base_url)


def test_an_unknown_environment_is_refused_with_the_known_ones(define_quickbooks):
    define_quickbooks(environment="staging")

    with pytest.raises(ConfigurationError, match=r"'staging'.*production, sandbox"):
        _ = QuickBooksHook().api_url
    with pytest.raises(ConfigurationError, match=r"'staging'.*production, sandbox"):
        QuickBooksHook().get_conn()


@pytest.mark.parametrize(("login", "password"), [(None, "the-secret"), ("the-id", None), ("", "")])
def test_a_client_id_or_secret_that_is_missing_is_said(define_quickbooks, login, password):
    define_quickbooks(login, password)

    with pytest.raises(ConfigurationError, match="client id or secret is missing"):
        QuickBooksHook().get_conn()


def test_a_connection_that_is_not_defined_is_named_with_how_to_define_it(monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_QUICKBOOKS", raising=False)

    with pytest.raises(ConfigurationError) as failure:
        QuickBooksHook().get_conn()

    assert str(failure.value) == (
        "The Airflow connection 'quickbooks' is not defined: add it in Airflow, or set AIRFLOW_CONN_QUICKBOOKS."
    )


def test_a_variable_that_is_left_empty_defines_no_connection(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS", "")

    with pytest.raises(ConfigurationError, match="'quickbooks' is not defined"):
        QuickBooksHook().get_conn()


def test_a_second_app_may_have_a_connection_of_its_own(define_quickbooks, monkeypatch):
    define_quickbooks(environment="sandbox")
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS_EU", '{"conn_type": "http", "login": "eu", "password": "s"}')

    app = QuickBooksHook("quickbooks_eu").get_conn()

    assert "client_id=eu" in app.authorize_url("a-state")


def test_the_tier_and_a_number_of_reads_are_the_budget(define_quickbooks):
    define_quickbooks()
    assert QuickBooksHook().read_limit == ReadLimit("builder", 500_000, is_limit=False)
    define_quickbooks(tier="gold")
    assert QuickBooksHook().read_limit == ReadLimit("gold", 10_000_000, is_limit=True)
    define_quickbooks(tier="silver", monthly_reads=2_500_000)
    assert QuickBooksHook().read_limit == ReadLimit("silver", 2_500_000, is_limit=True)


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        ({"tier": "bronze"}, "'bronze' is no tier of Intuit's: use builder, silver, gold, platinum."),
        ({"monthly_reads": -5}, "'-5' is no number of reads a month: write a whole number such as 500000."),
    ],
)
def test_a_budget_that_makes_no_sense_is_said_by_the_test_of_the_connection_too(
    define_quickbooks, extra, sentence
):
    define_quickbooks(environment="sandbox", **extra)

    with pytest.raises(ConfigurationError) as failure:
        _ = QuickBooksHook().read_limit

    assert (
        str(failure.value)
        == f"The connection 'quickbooks' has a budget of reads that makes no sense: {sentence}"
    )
    assert QuickBooksHook().test_connection() == (False, str(failure.value))


@pytest.mark.parametrize("name", ["api_url", "discovery_url"])
def test_in_production_the_connection_cannot_name_another_address(define_quickbooks, name):
    define_quickbooks(**{name: "http://127.0.0.1:1234"})

    is_right, sentence = QuickBooksHook().test_connection()

    assert not is_right
    assert sentence.startswith("With the environment production only Intuit's own addresses are used")
    with pytest.raises(ConfigurationError, match=f"take {name} out of the connection"):
        get_access()


def test_only_the_deployment_names_further_hosts(define_quickbooks, monkeypatch):
    define_quickbooks(environment="sandbox", api_url="http://sandbox:8081", allowed_hosts="sandbox:8081")
    with pytest.raises(ConfigurationError, match="Nothing is sent to api_url"):
        _ = QuickBooksHook().api_url

    monkeypatch.setenv("AIRFLOW__QUICKBOOKS__ALLOWED_HOSTS", "other:1, Sandbox:8081")
    assert QuickBooksHook().api_url == "http://sandbox:8081"
