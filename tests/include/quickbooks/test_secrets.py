"""No token, secret or code may show in a log or an error, whatever QuickBooks answers."""

from __future__ import annotations

import json
import logging
import traceback

import pytest

from include.errors import ReceivablesError
from include.quickbooks.client import QuickBooksClient
from include.quickbooks.entities import INVOICE
from include.quickbooks.oauth import OAuthApp
from tests.include.quickbooks.listed_tokens import ListedTokens
from tests.include.quickbooks.raw_server import Answer

ECHO = "odd %TOKEN%, hush-refresh, hush-code, hush-app"

ANSWERS = {
    "reset": Answer(is_reset=True),
    "redirect": Answer(302, headers={"Location": "https://elsewhere.example"}),
    "upper-case fault": Answer(400, json.dumps({"Fault": {"Error": [{"code": "6000", "Detail": ECHO}]}})),
    "lower-case fault": Answer(401, json.dumps({"fault": {"error": [{"code": "3200", "detail": ECHO}]}})),
    "fault in a success": Answer(200, json.dumps({"Fault": {"Error": [{"code": "4001", "Detail": ECHO}]}})),
    "XML": Answer(403, f'<Fault><Error code="3100"><Message>{ECHO}</Message></Error></Fault>'),
    "HTML": Answer(502, f"<html><head><title>{ECHO}</title></head></html>"),
    "OAuth error": Answer(400, json.dumps({"error": "invalid_grant", "error_description": ECHO})),
    "OAuth error in a success": Answer(200, json.dumps({"error": ECHO})),
    "HTML with success": Answer(200, f"<html>{ECHO}</html>"),
    "throttled": Answer(429, ECHO),
    "half the tokens": Answer(200, json.dumps({"access_token": "hush-access-2", "refresh_token": 5})),
    "cut off": Answer(200, f'{{"QueryResponse":{{"Invoice":[{{"Id":"1","PrivateNote":"{ECHO}"'),
    "odd time": Answer(200, '{"QueryResponse":{},"time":"yesterday"}'),
}


@pytest.fixture
def told(caplog):
    """All that was logged so far, at any level, by anybody, and the errors added to it."""
    caplog.set_level(logging.DEBUG)

    def told(*raised: BaseException) -> str:
        return caplog.text + "".join("".join(traceback.format_exception(error)) for error in raised)

    return told


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_the_client_shows_no_token(server, told, answer):
    server.answer(answer)
    tokens = ListedTokens("hush-access-1", "hush-access-2")

    with (
        QuickBooksClient(api_url=server.url, realm_id="1", tokens=tokens) as client,
        pytest.raises(ReceivablesError) as caught,
    ):
        client.query(INVOICE)

    assert server.received[0].headers["Authorization"] == "Bearer hush-access-1"
    assert "hush-access" not in told(caught.value)
    assert "hush-access" not in f"{client!r}"


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
@pytest.mark.parametrize(("call", "secret"), [("exchange", "hush-code"), ("refresh", "hush-refresh")])
def test_oauth_shows_neither_its_keys_nor_what_it_exchanges(server, told, answer, call, secret):
    endpoints = {f"{name}_endpoint": server.url for name in ("authorization", "token", "revocation")}
    server.answer(Answer(body=json.dumps(endpoints)), answer)
    app = OAuthApp(
        "app",
        "hush-app",
        environment="sandbox",
        redirect_uri="https://receivables.example",
        discovery_url=server.url,
    )

    with pytest.raises(ReceivablesError) as caught:
        getattr(app, call)(secret)

    text = told(caught.value)
    assert secret not in text
    assert "hush-app" not in text
    assert "hush" not in f"{app!r}"
