from __future__ import annotations

import base64
import json
from urllib.parse import parse_qs, urlsplit

import pytest

from include import errors
from include.quickbooks.oauth import INTUIT, OAuthApp, Tokens
from tests.include.quickbooks.raw_server import Answer

GOOD = {
    "token_type": "bearer",
    "access_token": "access-2",
    "refresh_token": "refresh-2",
    "expires_in": 3600,
    "x_refresh_token_expires_in": 8726400,
    "x_refresh_token_hard_expires_in": 157680000,
}
BASIC = "Basic " + base64.b64encode(b"app-id:app-secret").decode()


def discovery(url: str) -> Answer:
    return Answer(
        body=json.dumps(
            {
                "issuer": "https://oauth.platform.intuit.com/op/v1",
                "authorization_endpoint": f"{url}/connect",
                "token_endpoint": f"{url}/bearer",
                "revocation_endpoint": f"{url}/revoke",
            }
        )
    )


def make_app(discovery_url: str | None = None, environment: str = "sandbox") -> OAuthApp:
    return OAuthApp(
        "app-id",
        "app-secret",
        redirect_uri="https://receivables.example/callback",
        environment=environment,
        discovery_url=discovery_url,
    )


@pytest.fixture
def app(server):
    """An app whose next answers come from the raw server, discovery already done."""
    server.answer(discovery(server.url))
    app = make_app(f"{server.url}/.well-known")
    assert app.endpoints.token == f"{server.url}/bearer"
    server.answers.clear()
    server.received.clear()
    return app


def test_the_consent_page_is_told_what_to_ask_for_and_where_to_return():
    url = urlsplit(make_app().authorize_url("unguessable"))

    assert f"{url.scheme}://{url.netloc}{url.path}" == "https://appcenter.intuit.com/connect/oauth2"
    assert parse_qs(url.query) == {
        "client_id": ["app-id"],
        "response_type": ["code"],
        "scope": ["com.intuit.quickbooks.accounting"],
        "redirect_uri": ["https://receivables.example/callback"],
        "state": ["unguessable"],
    }


@pytest.mark.parametrize("environment", ["production", "sandbox"])
def test_intuits_addresses_need_no_call(environment):
    assert make_app(environment=environment).endpoints is INTUIT


def test_discovery_is_asked_once_per_process(server, app):
    app.authorize_url("a")
    make_app(f"{server.url}/.well-known").authorize_url("b")

    assert server.received == []


def test_a_discovery_document_that_is_none_is_a_matter_of_settings(server):
    server.answer(Answer(body='{"issuer":"x"}'))

    with pytest.raises(errors.ConfigurationError, match="discovery_url does not answer"):
        make_app(server.url).authorize_url("a")


def test_a_discovery_that_failed_is_asked_again(server):
    server.answer(Answer(503), discovery(server.url))
    app = make_app(f"{server.url}/again")

    with pytest.raises(errors.UnreachableError):
        app.authorize_url("a")
    assert app.authorize_url("a").startswith(f"{server.url}/connect?")


def test_a_code_is_exchanged_for_tokens(server, app):
    server.answer(Answer(body=json.dumps(GOOD), headers={"intuit_tid": "1-abc"}))

    tokens = app.exchange("the-code")

    (received,) = server.received
    assert (received.method, received.path) == ("POST", "/bearer")
    assert received.headers["Authorization"] == BASIC
    assert received.headers["Accept"] == "application/json"
    assert received.headers["x-include-refresh-token-hard-expires-in"] == "true"
    assert parse_qs(received.body.decode()) == {
        "grant_type": ["authorization_code"],
        "code": ["the-code"],
        "redirect_uri": ["https://receivables.example/callback"],
    }
    assert tokens == Tokens(
        access_token="access-2",
        refresh_token="refresh-2",
        expires_in=3600,
        refresh_expires_in=8726400,
        refresh_hard_expires_in=157680000,
        intuit_tid="1-abc",
    )


def test_a_refresh_token_is_exchanged_for_the_next_ones(server, app):
    server.answer(Answer(body=json.dumps(GOOD)))

    assert app.refresh("refresh-1").refresh_token == "refresh-2"
    assert parse_qs(server.received[0].body.decode()) == {
        "grant_type": ["refresh_token"],
        "refresh_token": ["refresh-1"],
    }


def test_tokens_without_the_hard_limit_are_tokens(server, app):
    server.answer(
        Answer(body=json.dumps({k: v for k, v in GOOD.items() if k != "x_refresh_token_hard_expires_in"}))
    )

    assert app.refresh("refresh-1").refresh_hard_expires_in is None


def test_tokens_do_not_show_their_secrets():
    tokens = Tokens("access-2", "refresh-2", 3600, 8726400)

    assert "access-2" not in f"{tokens} {tokens!r}"
    assert "refresh-2" not in f"{tokens} {tokens!r}"


@pytest.mark.parametrize("status", [400, 200])
@pytest.mark.parametrize(
    "body",
    [
        '{"error":"invalid_grant"}',
        '{"error":"invalid_grant","error_description":"Incorrect or invalid refresh token"}',
    ],
)
def test_a_refused_grant_asks_for_a_person_and_is_never_taken_for_tokens(server, app, status, body):
    server.answer(Answer(status, body, {"intuit_tid": "1-abc"}))

    with pytest.raises(errors.ReauthorizeError, match="connect the company again") as caught:
        app.refresh("refresh-1")
    assert (caught.value.code, caught.value.intuit_tid) == ("invalid_grant", "1-abc")
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, '{"error":"invalid_client"}'),
        (400, '{"error":"invalid_client"}'),
        (401, ""),
        (401, "<html></html>"),
    ],
)
def test_a_rejected_app_is_a_matter_of_settings(server, app, status, body):
    server.answer(Answer(status, body))

    with pytest.raises(errors.ConfigurationError, match="rejects the app's client id or secret") as caught:
        app.refresh("refresh-1")
    assert caught.value.code == "invalid_client"


@pytest.mark.parametrize("error", ["invalid_request", "unauthorized_client", "invalid_scope"])
def test_a_request_that_no_token_can_mend_is_a_matter_of_settings(server, app, error):
    server.answer(Answer(400, json.dumps({"error": error})))

    with pytest.raises(errors.ConfigurationError) as caught:
        app.exchange("the-code")
    assert caught.value.code == error


@pytest.mark.parametrize(
    "error", ["temporarily_unavailable", "server_error", "access_denied", "610", "120", "refresh-1"]
)
@pytest.mark.parametrize("status", [200, 400])
def test_an_error_that_blames_neither_the_grant_nor_the_app_passes(server, app, status, error):
    server.answer(Answer(status, json.dumps({"error": error})))

    with pytest.raises(errors.UnreachableError, match="the ones before stay") as caught:
        app.refresh("refresh-1")
    assert "refresh-1" not in str(caught.value)


@pytest.mark.parametrize("body", ["", "<html></html>", '{"error":""}', '{"error":"server_error"}'])
def test_a_door_that_is_shut_is_a_matter_of_settings(server, app, body):
    server.answer(Answer(403, body))

    with pytest.raises(errors.ConfigurationError):
        app.refresh("refresh-1")


def test_a_refused_grant_is_believed_under_another_status(server, app):
    server.answer(Answer(401, '{"error":"invalid_grant"}'))

    with pytest.raises(errors.ReauthorizeError):
        app.refresh("refresh-1")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(500), errors.UnreachableError),
        (Answer(500, '{"error":"invalid_grant"}'), errors.UnreachableError),
        (Answer(503, "<html></html>"), errors.UnreachableError),
        (Answer(429), errors.ThrottledError),
        (Answer(is_reset=True), errors.UnreachableError),
        (Answer(body="{", length=500), errors.UnreachableError),
    ],
    ids=["500", "500 with an error", "503", "429", "reset", "cut off"],
)
def test_an_outage_keeps_the_old_token_and_is_not_repeated(server, app, answer, error):
    server.answer(answer)

    with pytest.raises(error):
        app.refresh("refresh-1")
    assert len(server.received) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"access_token": ""},
        {"refresh_token": None},
        {"refresh_token": ""},
        {"expires_in": 0},
        {"expires_in": "soon"},
        {"x_refresh_token_expires_in": -1},
    ],
)
def test_half_an_answer_is_no_tokens(server, app, change):
    server.answer(Answer(body=json.dumps({**GOOD, **change})))

    with pytest.raises(errors.UnreachableError, match="holds no tokens"):
        app.refresh("refresh-1")


@pytest.mark.parametrize("key", ["access_token", "refresh_token", "expires_in", "x_refresh_token_expires_in"])
def test_an_answer_that_lacks_a_part_is_no_tokens(server, app, key):
    server.answer(Answer(body=json.dumps({name: value for name, value in GOOD.items() if name != key})))

    with pytest.raises(errors.UnreachableError, match=key):
        app.refresh("refresh-1")


@pytest.mark.parametrize("body", ["", "<html>Please log in</html>", "[]", '"x"'])
def test_a_success_that_is_no_json_object_is_no_tokens(server, app, body):
    server.answer(Answer(body=body))

    with pytest.raises(errors.UnreachableError, match="holds no tokens"):
        app.refresh("refresh-1")


def test_a_connection_is_revoked_by_its_token(server, app):
    server.answer(Answer(200))

    app.revoke("refresh-1")

    (received,) = server.received
    assert (received.method, received.path) == ("POST", "/revoke")
    assert received.headers["Authorization"] == BASIC
    assert json.loads(received.body) == {"token": "refresh-1"}


def test_a_token_that_is_gone_already_counts_as_revoked(server, app):
    server.answer(Answer(400, '{"error":"invalid_token"}'))

    app.revoke("refresh-1")

    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [(Answer(401), errors.ConfigurationError), (Answer(503), errors.UnreachableError)],
)
def test_a_revocation_that_did_not_happen_is_told(server, app, answer, error):
    server.answer(answer)

    with pytest.raises(error):
        app.revoke("refresh-1")


def test_an_unknown_environment_is_refused():
    with pytest.raises(errors.ConfigurationError, match="'staging' is unknown"):
        make_app(environment="staging")


@pytest.mark.parametrize(("client_id", "client_secret"), [("", "app-secret"), ("app-id", "")])
def test_an_app_without_keys_is_refused(client_id, client_secret):
    with pytest.raises(errors.ConfigurationError, match="client id or secret is missing"):
        OAuthApp(client_id, client_secret, redirect_uri="https://receivables.example/callback")
