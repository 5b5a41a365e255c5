from __future__ import annotations

import json

import pytest

from include.errors import ConfigurationError
from include.quickbooks.addresses import API_URLS, Addresses
from include.quickbooks.oauth import INTUIT, OAuthApp, discover
from tests.include.quickbooks.raw_server import Answer, RawServer

REFUSED = (
    "has to be an address of Intuit's with https, of this machine, or of a host that the deployment names"
)
INTUITS = [
    "https://quickbooks.api.intuit.com",
    "https://sandbox-quickbooks.api.intuit.com/",
    "https://developer.api.intuit.com/.well-known/openid_sandbox_configuration",
    INTUIT.authorize,
    INTUIT.token,
    INTUIT.revocation,
    "HTTPS://OAuth.Platform.Intuit.com/oauth2/v1/tokens/bearer",
]
LOOPBACK = [
    "http://127.0.0.1:8081",
    "https://127.0.0.1",
    "http://127.8.9.10/path",
    "http://localhost:8081/.well-known/openid_sandbox_configuration",
    "http://LOCALHOST:8081",
    "http://[::1]:8081",
]
FOREIGN = [
    "https://attacker.example",
    "https://attacker.example/quickbooks.api.intuit.com",
    "http://quickbooks.api.intuit.com",
    "https://quickbooks.api.intuit.com.attacker.example",
    "https://attacker-quickbooks.api.intuit.com",
    "https://quickbooks.api.intuit.com.",
    "https://quickbooks.api.intuit.com:8443",
    "https://intuit.com",
    "https://quickbooks.api.intuit.com@attacker.example",
    "https://user:password@quickbooks.api.intuit.com",
    "http://127.0.0.1@attacker.example",
    "http://127.0.0.1:80@attacker.example",
    "http://127.0.0.1\\@attacker.example",
    "http://attacker.example\\@127.0.0.1",
    "http://attacker.example#@127.0.0.1",
    "http://attacker.example?@127.0.0.1",
    "http://127.0.0.1#/v3",
    "http://127.0.0.1?next=/v3",
    "http://localhost.attacker.example",
    "http://127.0.0.1.attacker.example",
    "http://localhost.",
    "http://2130706433",
    "http://0x7f000001",
    "http://0x7f.0.0.1",
    "http://0177.0.0.1",
    "http://127.1",
    "http://0.0.0.0",
    "http://[::]",
    "http://[::1%25lo]",
    "http://[fe80::1%25eth0]",
    "http://[::1",
    "http://::1",
    "http://169.254.169.254/latest/meta-data",
    "http://10.0.0.1",
    "http://sandbox",
    "http://１２７.0.0.1",
    "http://ⓛocalhost",
    "http://127.0.0.1:",
    "http://127.0.0.1:80:81",
    "http://127.0.0.1 ",
    " http://127.0.0.1",
    "http://127.0.0.1\n",
    "http://127.0.0.1\r\nHost: attacker.example",
    "http://127.0.0.1/%2e%2e",
    "http:127.0.0.1",
    "http:///127.0.0.1",
    "//127.0.0.1",
    "ftp://127.0.0.1",
    "file:///etc/passwd",
    "127.0.0.1:8081",
]


@pytest.mark.parametrize("url", [*INTUITS, *LOOPBACK])
def test_outside_production_an_address_is_intuits_or_of_this_machine(url):
    assert Addresses("sandbox").check("api_url", url) == url


@pytest.mark.parametrize("url", FOREIGN)
def test_nothing_goes_anywhere_else(url):
    with pytest.raises(ConfigurationError, match=REFUSED) as refusal:
        Addresses("sandbox").check("api_url", url)

    assert "password" not in str(refusal.value)


@pytest.mark.parametrize("url", INTUITS)
def test_in_production_an_address_is_intuits(url):
    assert Addresses("production").check("a document", url) == url


@pytest.mark.parametrize("url", [*LOOPBACK, *FOREIGN, "http://sandbox:8081"])
def test_in_production_neither_this_machine_nor_what_the_deployment_names_is_told_anything(url):
    with pytest.raises(ConfigurationError, match=REFUSED):
        Addresses("production", frozenset({"sandbox:8081"})).check("a document", url)


@pytest.mark.parametrize("name", ["api_url", "discovery_url"])
def test_in_production_nothing_stands_in_for_intuit(name):
    for url in (*INTUITS, *LOOPBACK, "https://attacker.example"):
        with pytest.raises(ConfigurationError) as refusal:
            Addresses("production").override(name, url)
        assert str(refusal.value) == (
            f"With the environment production only Intuit's own addresses are used: take {name} out of the connection."
        )


def test_a_host_that_the_deployment_names_is_told_at_that_port_only():
    addresses = Addresses("sandbox", frozenset({"sandbox:8081"}))

    assert addresses.api_url("http://sandbox:8081") == "http://sandbox:8081"
    for url in ("http://sandbox", "http://sandbox:8080", "http://sandbox:80811", "http://a.sandbox:8081"):
        with pytest.raises(ConfigurationError, match=REFUSED):
            addresses.api_url(url)


@pytest.mark.parametrize("environment", API_URLS)
def test_without_an_address_it_is_intuits(environment):
    assert Addresses(environment).api_url(None) == Addresses(environment).api_url("") == API_URLS[environment]


def app_with(discovery_url: str, environment: str = "sandbox") -> OAuthApp:
    return OAuthApp(
        "id", "secret", environment=environment, redirect_uri="http://x/", discovery_url=discovery_url
    )


def test_a_discovery_document_elsewhere_is_not_even_asked(server: RawServer):
    for url in ("https://attacker.example/document", f"{server.url}/document#"):
        with pytest.raises(ConfigurationError, match="discovery_url"):
            app_with(url)
    with pytest.raises(ConfigurationError, match="production"):
        app_with(server.url, "production")

    assert server.received == []


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "revocation_endpoint"])
@pytest.mark.parametrize(
    "url", ["https://attacker.example/", "http://127.0.0.1:1@attacker.example/", "javascript:x"]
)
def test_a_discovery_document_cannot_lead_elsewhere(server: RawServer, name: str, url: str):
    good = {
        each: f"{server.url}/{each}"
        for each in ("authorization_endpoint", "token_endpoint", "revocation_endpoint")
    }
    server.answer(Answer(body=json.dumps({**good, name: url})))
    app = app_with(f"{server.url}/document")

    for use in (
        lambda: app.authorize_url("s"),
        lambda: app.refresh("t"),
        lambda: app.revoke("t"),
        app.check_client,
    ):
        with pytest.raises(ConfigurationError, match=f"the {name} of the discovery document"):
            use()
    assert [received.method for received in server.received] == ["GET"]
    discover.cache_clear()
