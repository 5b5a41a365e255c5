from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from include.receivables.inbound import webhooks
from local.directory import LocalDirectory
from local.files import read_json
from tests.support.fixtures_web import REFUSALS
from tests.support.killing import wait_until
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    import requests

    from include.receivables.company.companies import Company
    from tests.support.fixtures_web import Web
    from tests.support.workbench import Workbench


@pytest.fixture
def company(web: Web, bench: Workbench) -> Company:
    return connect_as_imported(bench, "acme")


@pytest.fixture
def token(web: Web) -> str:
    """The verifier token of the connection that the server has."""
    return read_json(LocalDirectory(web.log.parent).secrets)["webhook_verifier_token"]


@pytest.fixture
def deliver(web: Web, token: str) -> Any:
    """Deliver as Intuit does."""

    def deliver(content: Any, *, signed_with: str = token, **headers: Any) -> requests.Response:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        digest = hmac.new(signed_with.encode(), body, hashlib.sha256).digest()
        signed = {
            "Content-Type": "application/cloudevents+json",
            "intuit-signature": b64encode(digest).decode(),
        }
        return web.anonymous.post("webhook", data=body, headers={**signed, **headers})

    return deliver


def event(company: Company, number: int = 1, kind: str = "payment.created") -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"event-{number}",
        "source": "intuit.x=",
        "type": f"qbo.{kind}.v1",
        "time": "2026-01-05T12:00:00.179851517Z",
        "intuitentityid": str(number),
        "intuitaccountid": company.realm_id,
        "data": {},
    }


def legacy(company: Company, *ids: int) -> dict[str, Any]:
    entities = [
        {"name": "Payment", "id": str(n), "operation": "Update", "lastUpdated": "2026-01-05T12:00:00.000Z"}
        for n in ids
    ]
    return {"eventNotifications": [{"realmId": company.realm_id, "dataChangeEvent": {"entities": entities}}]}


def stored(web: Web) -> list[tuple[str, str]]:
    assert web.db is not None
    return web.db.execute("select entity, qbo_id from sync.webhook_event order by qbo_id::int").fetchall()


def counts(web: Web) -> dict[str, int]:
    """What came of the events of deliveries that were taken."""
    assert web.db is not None
    counted = dict(web.db.execute("select outcome, total from sync.webhook_count").fetchall())
    return {outcome: total for outcome, total in counted.items() if outcome not in REFUSALS}


def wait_until_counted(web: Web, reason: str) -> None:
    """Wait until refusals are saved."""
    assert web.db is not None
    counted = "select from sync.webhook_count where outcome = %s"
    wait_until(lambda: web.db.execute(counted, [reason]).fetchone() is not None)


def test_a_signed_delivery_is_stored_and_answered_with_nothing_but_200(web: Web, company: Company, deliver):
    answer = deliver([event(company, 1), event(company, 2, "creditmemo.updated")])

    assert (answer.status_code, answer.text) == (200, "")
    assert stored(web) == [("payment", "1"), ("credit_memo", "2")]
    assert counts(web) == {"stored": 2}


def test_the_old_format_is_stored_as_well(web: Web, company: Company, deliver):
    assert deliver(legacy(company, 1, 2)).status_code == 200
    assert stored(web) == [("payment", "1"), ("payment", "2")]


@pytest.mark.parametrize("form", ["cloudevents", "legacy"])
def test_a_delivery_that_is_replayed_is_welcome_and_stored_once(
    web: Web, company: Company, deliver, form: str
):
    content = [event(company)] if form == "cloudevents" else legacy(company, 1)

    assert [deliver(content).status_code for _ in range(3)] == [200, 200, 200]
    assert stored(web) == [("payment", "1")]
    assert counts(web) == {"stored": 1, "repeated": 2}


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/json", "application/x-www-form-urlencoded", "", None]
)
def test_the_content_type_does_not_matter(web: Web, company: Company, deliver, kind: str | None):
    assert deliver([event(company)], **{"Content-Type": kind}).status_code == 200
    assert stored(web) == [("payment", "1")]


def test_a_forged_delivery_is_refused_and_counted(web: Web, company: Company, deliver, token: str):
    answer = deliver([event(company)], signed_with="not-the-token")

    assert answer.status_code == 401
    assert token not in answer.text
    assert stored(web) == []
    wait_until_counted(web, "forged")


def test_a_body_that_was_changed_on_the_way_is_refused(web: Web, company: Company, deliver):
    genuine = deliver([event(company, 1)]).request.headers["intuit-signature"]

    assert deliver([event(company, 2)], **{"intuit-signature": genuine}).status_code == 401
    assert stored(web) == [("payment", "1")]


@pytest.mark.parametrize("signature", ["", "short", "ä" * 44, "A" * 44, "A" * 5000])
def test_any_other_signature_is_refused(web: Web, company: Company, deliver, signature: str):
    answer = deliver([event(company)], **{"intuit-signature": signature.encode()})

    assert answer.status_code == 401
    assert stored(web) == []


def test_a_delivery_without_a_signature_is_refused_and_counted(web: Web, company: Company):
    answer = web.anonymous.post("webhook", json=[event(company)])

    assert answer.status_code == 401
    assert "intuit-signature" in answer.json()["detail"]
    wait_until_counted(web, "unsigned")


def test_who_is_signed_in_to_airflow_still_needs_the_signature(web: Web, company: Company):
    assert web.as_("admin").post("webhook", json=[event(company)]).status_code == 401
    assert stored(web) == []


def test_it_needs_neither_a_sign_in_nor_a_token_of_a_form(web: Web, company: Company, deliver):
    answer = deliver([event(company)], Origin="https://elsewhere.example")

    assert answer.status_code == 200


@pytest.mark.parametrize("body", [b"", b"not json", b"{}", b"5", b"[" * 50_000, b"\xff"], ids=range(6))
def test_a_malformed_delivery_that_is_signed_is_refused(web: Web, company: Company, deliver, body):
    assert deliver(body).status_code == 400
    assert stored(web) == []


def test_odd_events_are_counted_and_the_others_stored(web: Web, company: Company, deliver):
    odd = [
        None,
        5,
        {**event(company, 3), "intuitentityid": "x"},
        {**event(company, 4), "data": {"Name": "\ud83d"}},
    ]

    assert deliver([event(company, 1), *odd, {**event(company, 2), "intuitentityid": 2}]).status_code == 200
    assert [qbo_id for _, qbo_id in stored(web)] == ["1", "2", "4"]
    assert counts(web) == {"stored": 3, "odd": 3}


def test_a_single_event_is_stored(web: Web, company: Company, deliver):
    assert deliver(event(company)).status_code == 200
    assert stored(web) == [("payment", "1")]


@pytest.mark.parametrize("form", ["cloudevents", "legacy"])
def test_each_companys_events_of_one_delivery_are_stored_for_it(
    web: Web, bench: Workbench, company: Company, deliver, form: str
):
    other = connect_as_imported(bench, "other")
    owners = [company, other, replace(company, realm_id="999")]
    if form == "cloudevents":
        content: Any = [event(owner, number) for number, owner in enumerate(owners)]
    else:
        notified = [legacy(owner, number)["eventNotifications"][0] for number, owner in enumerate(owners)]
        content = {"eventNotifications": notified}

    assert deliver(content).status_code == 200
    rows = web.db.execute("select realm_id, qbo_id from sync.webhook_event order by qbo_id").fetchall()
    assert rows == [(company.realm_id, "0"), (other.realm_id, "1")]
    assert counts(web) == {"stored": 2, "unknown_company": 1}


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_delivery_that_is_too_large_is_refused_unread_and_counted(
    web: Web, company: Company, token: str, is_chunked: bool
):
    body = b"x" * (webhooks.MAX_BYTES + 1)
    halves = [body[:1_100_000], body[1_100_000:]]
    digest = hmac.new(token.encode(), body, hashlib.sha256).digest()

    answer = web.anonymous.post(
        "webhook",
        data=iter(halves) if is_chunked else body,
        headers={"intuit-signature": b64encode(digest).decode()},
    )

    assert answer.status_code == 413
    wait_until_counted(web, "too_large")


def test_the_largest_delivery_is_taken(web: Web, company: Company, deliver):
    delivered = json.dumps([event(company)]).encode()

    assert deliver(delivered + b" " * (webhooks.MAX_BYTES - len(delivered))).status_code == 200
    assert stored(web) == [("payment", "1")]


def test_events_of_unknown_companies_are_accepted_and_ignored(web: Web, company: Company, deliver):
    stranger = {**event(company), "intuitaccountid": "999"}

    assert deliver([stranger, event(company, 2, "vendor.created")]).status_code == 200
    assert stored(web) == []
    assert counts(web) == {"unknown_company": 1, "other_entity": 1}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_there_is_nothing_to_see(web: Web, method: str):
    assert web.anonymous.request(method, "webhook").status_code == 405


def test_neither_a_body_nor_a_secret_is_logged(web: Web, company: Company, deliver, token: str):
    deliver([{**event(company), "data": {"DisplayName": "a-name-of-a-person"}}])
    deliver(b"a-body-of-nonsense")
    signature = deliver([event(company)], signed_with="a-wrong-token").request.headers["intuit-signature"]

    log = web.log.read_text()
    for secret in ("a-name-of-a-person", "a-body-of-nonsense", token, signature):
        assert secret not in log


def test_what_the_sandbox_tells_goes_in(web: Web, bench: Workbench, company: Company, token: str):
    assert web.sandbox is not None
    web.sandbox.change_webhooks(endpoint=f"{web.url}/quickbooks/webhook", verifier_token=token)
    for form in ("cloudevents", "legacy"):
        web.sandbox.change_webhooks(format=form)
        web.sandbox.events(company.realm_id, 5, seed=len(form))
        wait_until(lambda: web.sandbox.webhooks()["is_idle"])

    assert web.sandbox.webhooks()["counts"]["answered 200"] >= 2
    assert len(stored(web)) >= 6
    web.sandbox.change_webhooks(endpoint="")
