"""Who may ask for what: every route of the app, for everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fastapi.routing import APIRoute
from starlette.routing import Mount

if TYPE_CHECKING:
    from fastapi import FastAPI

    from tests.support.fixtures_web import Browser, Web

COMPANY = "/companies/{company_id}"
SEE, ACT, ADMINISTER, ANYBODY = "see", "act", "administer", "anybody"
NEEDED = {
    ("GET", "/"): SEE,
    ("GET", "/connect"): ADMINISTER,
    ("POST", "/connect"): ADMINISTER,
    ("POST", "/connect/check"): ADMINISTER,
    ("GET", "/callback"): ADMINISTER,
    ("GET", "/launch"): SEE,
    ("GET", "/reconnect"): ADMINISTER,
    ("GET", "/disconnected"): ANYBODY,
    ("POST", "/webhook"): ANYBODY,
    ("GET", "/health"): ANYBODY,
    ("HEAD", "/health"): ANYBODY,
    ("GET", "/alerts"): SEE,
    ("GET", "/alerts/new-channel"): ADMINISTER,
    ("POST", "/alerts/channels"): ADMINISTER,
    ("POST", "/alerts/channels/{name}/remove"): ADMINISTER,
    ("POST", "/alerts/channels/{name}/test"): ADMINISTER,
    ("GET", COMPANY): SEE,
    ("GET", "/runs/{dag_id}/{dag_run_id}"): SEE,
    ("POST", f"{COMPANY}/sync"): ACT,
    ("POST", f"{COMPANY}/refresh-accounts"): ACT,
    ("POST", f"{COMPANY}/refresh-taxes"): ACT,
    ("POST", f"{COMPANY}/auto-sync"): ACT,
    ("POST", f"{COMPANY}/pause"): ACT,
    ("POST", f"{COMPANY}/resume"): ACT,
    ("POST", f"{COMPANY}/problems/{{problem_id}}/retry"): ACT,
    ("GET", f"{COMPANY}/problems/{{problem_id}}/confirm-deletions"): ACT,
    ("POST", f"{COMPANY}/problems/{{problem_id}}/confirm-deletions"): ACT,
    ("POST", f"{COMPANY}/problems/{{problem_id}}/ignore"): ACT,
    ("POST", f"{COMPANY}/problems/{{problem_id}}/resolve"): ACT,
    ("POST", f"{COMPANY}/problems/{{problem_id}}/reopen"): ACT,
    ("GET", f"{COMPANY}/mapping"): SEE,
    ("POST", f"{COMPANY}/mapping"): ACT,
    ("POST", f"{COMPANY}/finish"): ACT,
    ("POST", f"{COMPANY}/read-accounts"): ACT,
    ("GET", f"{COMPANY}/import"): SEE,
    ("POST", f"{COMPANY}/import"): ACT,
    ("GET", f"{COMPANY}/progress"): SEE,
    ("GET", f"{COMPANY}/reminders/{{reminder_run_id}}"): SEE,
    ("GET", f"{COMPANY}/disconnect"): ADMINISTER,
    ("POST", f"{COMPANY}/disconnect"): ADMINISTER,
    ("GET", f"{COMPANY}/reconnect"): ADMINISTER,
    ("POST", f"{COMPANY}/reconnect"): ADMINISTER,
    ("GET", f"{COMPANY}/change-organisation"): ADMINISTER,
    ("POST", f"{COMPANY}/change-organisation"): ADMINISTER,
    ("GET", f"{COMPANY}/deliveries"): SEE,
    ("GET", f"{COMPANY}/deliveries/{{delivery_id}}"): SEE,
    ("GET", f"{COMPANY}/deliveries/{{delivery_id}}/retry"): ACT,
    ("POST", f"{COMPANY}/deliveries/{{delivery_id}}/retry"): ACT,
    ("POST", f"{COMPANY}/deliveries/{{delivery_id}}/ignore"): ACT,
    ("POST", f"{COMPANY}/deliveries/{{delivery_id}}/approve"): ADMINISTER,
    ("POST", f"{COMPANY}/deliveries/{{delivery_id}}/relink"): ACT,
    ("GET", f"{COMPANY}/proofs"): SEE,
    ("POST", f"{COMPANY}/proofs"): ACT,
    ("GET", f"{COMPANY}/proofs/{{proof_id}}"): SEE,
    ("GET", f"{COMPANY}/proofs/{{proof_id}}/differences.csv"): SEE,
    ("GET", f"{COMPANY}/proofs/{{proof_id}}/customers.csv"): SEE,
}
JSON = {("GET", f"{COMPANY}/progress"), ("GET", f"{COMPANY}/reminders/{{reminder_run_id}}")}
MAY = {
    "viewer": {SEE},
    "reminder": {SEE},
    "engineer": {SEE, ACT},
    "admin": {SEE, ACT, ADMINISTER},
}
ROLE_WORDS = {ACT: "role Op or Admin", ADMINISTER: "role Admin"}


def routes(app: FastAPI) -> set[tuple[str, str]]:
    return {
        (method, route.path)
        for route in app.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }


def ask(browser: Browser, method: str, path: str, **fields: Any) -> Any:
    """Ask for a route of a company that does not exist, so that nothing happens."""
    ids = {
        "company_id": "nobody",
        "problem_id": 1,
        "delivery_id": 1,
        "proof_id": 1,
        "reminder_run_id": "reminders-1",
        "name": "nobody",
        "dag_id": "import_company",
        "dag_run_id": "nobodys",
    }
    place = path.format(**ids).removeprefix("/")
    return browser.request(method, place, data=fields or None)


def test_every_route_says_here_who_may_use_it(app: FastAPI):
    assert routes(app) == set(NEEDED)
    assert [route.path for route in app.routes if isinstance(route, Mount)] == ["/static"]


def test_every_route_but_those_for_anybody_checks_the_form_before_anything_else(app: FastAPI):
    from include.web.security import protect

    unprotected = {
        (method, route.path)
        for route in app.routes
        if isinstance(route, APIRoute)
        and (not route.dependant.dependencies or route.dependant.dependencies[0].call is not protect)
        for method in route.methods
    }
    assert unprotected == {key for key, needed in NEEDED.items() if needed == ANYBODY}


def test_the_anonymous_get_in_nowhere(web: Web):
    for (method, path), needed in NEEDED.items():
        answer = ask(web.anonymous, method, path)
        if needed == ANYBODY:
            assert answer.headers.get("location") is None, path
        elif method == "POST" or (method, path) in JSON:
            assert answer.status_code == 401, path
        else:
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/auth/login?next=%2Fquickbooks%2F"), path


@pytest.mark.parametrize("user", MAY)
def test_a_role_gets_as_far_as_it_may(web: Web, user: str):
    browser = web.as_(user)
    token = browser.csrf()
    for (method, path), needed in NEEDED.items():
        if needed == ANYBODY:
            continue
        answer = ask(browser, method, path, csrf_token=token)
        if needed in MAY[user]:
            assert answer.status_code not in (401, 403, 500), (method, path, answer.text)
        else:
            assert answer.status_code == 403, (method, path)
            assert ROLE_WORDS[needed] in answer.text, (method, path)


def test_a_company_that_does_not_exist_is_the_same_as_one_that_cannot(web: Web):
    browser = web.as_("admin")
    answers = [browser.get(f"companies/{name}") for name in ("nobody", "acme'--", "a" * 300, "%00")]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
