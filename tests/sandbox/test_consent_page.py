from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

if TYPE_CHECKING:
    from sandbox.control import SandboxControl

ASKED = {
    "client_id": "sandbox-client",
    "response_type": "code",
    "scope": "com.intuit.quickbooks.accounting",
    "redirect_uri": "http://127.0.0.1:9/back?x=1",
    "state": "s<1>",
}


def test_the_page_offers_the_companies_and_two_decisions(sandbox: SandboxControl) -> None:
    company = sandbox.create_company("Ada & <Co>", books="empty")
    page = requests.get(f"{sandbox.base_url}/connect/oauth2", params=ASKED, timeout=10)
    assert page.headers["content-type"].startswith("text/html")
    assert f'type="radio" name="realm_id" value="{company["realm_id"]}"' in page.text
    assert "Ada &amp; &lt;Co&gt;" in page.text
    assert "s&lt;1&gt;" in page.text
    assert ">Connect</button>" in page.text
    assert ">Cancel</button>" in page.text


def test_a_decision_goes_back_to_the_app_with_code_state_and_realm(sandbox: SandboxControl) -> None:
    realm_id = sandbox.create_company("Ada", books="empty")["realm_id"]
    form = {**ASKED, "realm_id": realm_id, "decision": "connect"}
    answer = requests.post(f"{sandbox.base_url}/connect/oauth2", data=form, allow_redirects=False, timeout=10)
    returned = parse_qs(urlsplit(answer.headers["location"]).query)
    assert returned.pop("code")
    assert returned == {"x": ["1"], "state": ["s<1>"], "realmId": [realm_id]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "somebody"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": ""},
        {"response_type": "token"},
        {"state": ""},
    ],
)
def test_a_wrong_request_is_shown_to_the_user_and_redirects_nowhere(
    sandbox: SandboxControl, wrong: dict[str, str]
) -> None:
    url = f"{sandbox.base_url}/connect/oauth2"
    assert requests.get(url, params={**ASKED, **wrong}, timeout=10).status_code == 400
    decided = requests.post(
        url, data={**ASKED, **wrong, "decision": "cancel"}, allow_redirects=False, timeout=10
    )
    assert decided.status_code == 400


def test_discovery_points_back_to_the_sandbox(sandbox: SandboxControl) -> None:
    for name in ("openid_sandbox_configuration", "openid_configuration", "openid_sandbox_configuration/"):
        found = requests.get(f"{sandbox.base_url}/.well-known/{name}", timeout=10).json()
        assert found["authorization_endpoint"] == f"{sandbox.base_url}/connect/oauth2"
        assert found["token_endpoint"] == f"{sandbox.base_url}/oauth2/v1/tokens/bearer"
        assert found["revocation_endpoint"] == f"{sandbox.base_url}/v2/oauth2/tokens/revoke"


def test_the_hard_expiry_is_told_when_asked_for(sandbox: SandboxControl) -> None:
    token = sandbox.create_company("Ada", books="empty")["refresh_token"]
    for headers in ({}, {"x-include-refresh-token-hard-expires-in": "true"}):
        answer = requests.post(
            f"{sandbox.base_url}/oauth2/v1/tokens/bearer",
            data={"grant_type": "refresh_token", "refresh_token": token},
            headers=headers,
            auth=("sandbox-client", "sandbox-secret"),
            timeout=10,
        ).json()
        assert ("x_refresh_token_hard_expires_in" in answer) is bool(headers)
        token = answer["refresh_token"]


def test_token_requests_are_counted_with_their_refusals(sandbox: SandboxControl) -> None:
    sandbox.reset_oauth_calls()
    url = f"{sandbox.base_url}/oauth2/v1/tokens/bearer"
    keys = ("sandbox-client", "sandbox-secret")
    requests.post(url, data={"grant_type": "refresh_token", "refresh_token": "x"}, auth=keys, timeout=10)
    refused = requests.post(url, data={"grant_type": "refresh_token"}, auth=("a", "b"), timeout=10)
    assert (refused.status_code, refused.json()) == (401, {"error": "invalid_client"})
    requests.post(url, data={"grant_type": "password"}, auth=keys, timeout=10)
    assert sandbox.oauth_calls() == {
        "refresh_token": 2,
        "invalid_grant": 1,
        "invalid_client": 1,
        "password": 1,
        "unsupported_grant_type": 1,
    }


def test_revoking_takes_json_or_a_form(sandbox: SandboxControl) -> None:
    url = f"{sandbox.base_url}/v2/oauth2/tokens/revoke"
    keys = ("sandbox-client", "sandbox-secret")
    for style in ("json", "data"):
        token = sandbox.create_company("Ada", books="empty")["refresh_token"]
        assert requests.post(url, auth=keys, timeout=10, **{style: {"token": token}}).status_code == 200
    assert requests.post(url, auth=keys, timeout=10, json={"token": "unknown"}).status_code == 400
    assert requests.post(url, auth=("a", "b"), timeout=10, json={"token": "unknown"}).status_code == 401
