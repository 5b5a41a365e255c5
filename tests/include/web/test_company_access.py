"""Whose companies somebody sees and acts on: theirs, once anybody is named for any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from include.receivables.company.companies import get_company
from include.receivables.company.members import give, take
from tests.support.rows import audited

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.fixtures_web import Web

COMPANIES = {"acme": "9130001", "globex": "9130002", "initech": "9130003"}
# What each of Airflow's simple users is named for below.
SEES = {
    "viewer": {"globex"},
    "engineer": {"acme", "initech"},
    "reminder": set(),
    "admin": set(COMPANIES),
}


@pytest.fixture
def companies(web: Web, add_company: Callable[..., str]) -> None:
    """Three companies, with a run in each."""
    for company_id, realm_id in COMPANIES.items():
        add_company(company_id, name=f"{company_id.title()} Ltd", realm_id=realm_id)
        web.db.execute(
            "insert into sync.run (company_id, realm_id, dag_id, dag_run_id, state)"
            " values (%s, %s, 'quickbooks_to_peakflo', 'scheduled__1', 'success')",
            [company_id, realm_id],
        )


@pytest.fixture
def named(web: Web, companies: None) -> None:
    """A user who is named for two of them, and a group for the third."""
    give(web.db, "user", "engineer", "acme")
    give(web.db, "user", "engineer", "initech")
    give(web.db, "group", "viewer", "globex")


def seen(web: Web, user: str) -> dict[str, Any]:
    """Return what a user sees of each company: the status of its page, and where it is listed."""
    browser = web.as_(user)
    pages = {path: browser.get(path).text for path in ("", "runs/quickbooks_to_peakflo/scheduled__1")}
    return {
        company_id: (
            browser.get(f"companies/{company_id}").status_code,
            *(f"{company_id.title()} Ltd" in page for page in pages.values()),
        )
        for company_id in COMPANIES
    }


@pytest.mark.parametrize("user", SEES)
def test_everybody_sees_all_companies_as_long_as_nobody_is_named(web: Web, companies: None, user: str):
    assert seen(web, user) == dict.fromkeys(COMPANIES, (200, True, True))


@pytest.mark.parametrize("user", SEES)
def test_once_somebody_is_named_each_sees_their_own(web: Web, named: None, user: str):
    found = seen(web, user)
    print(f"{user:10} {found}")
    assert found == {
        company_id: (200, True, True) if company_id in SEES[user] else (404, False, False)
        for company_id in COMPANIES
    }


def test_what_is_not_ones_own_is_answered_as_what_is_not_there(web: Web, named: None):
    browser = web.as_("engineer")
    token = browser.csrf()
    hidden = browser.post("companies/globex/pause", data={"csrf_token": token})
    missing = browser.post("companies/nobody/pause", data={"csrf_token": token})
    assert (hidden.status_code, hidden.text) == (
        missing.status_code,
        missing.text.replace("nobody", "globex"),
    )
    assert get_company(web.db, "globex").status == "connected"
    assert browser.post("companies/acme/pause", data={"csrf_token": token}).status_code == 303
    assert get_company(web.db, "acme").status == "paused"


def test_what_is_denied_is_written_down(web: Web, named: None):
    engineer, viewer = web.as_("engineer"), web.as_("viewer")
    engineer.submit("companies/globex/pause")
    viewer.submit("companies/globex/pause")
    engineer.submit("companies/acme/disconnect")
    engineer.post("companies/acme/pause")  # a form of another site
    pauses = audited(web.db, "POST /companies/{company_id}/pause")
    [disconnect] = audited(web.db, "POST /companies/{company_id}/disconnect")
    assert [(entry["actor"], entry["company_id"], entry["outcome"]) for entry in [*pauses, disconnect]] == [
        ("engineer", "globex", "denied"),
        ("viewer", "globex", "denied"),
        ("engineer", "acme", "denied"),
        ("engineer", "acme", "denied"),
    ]
    assert [entry["facts"]["reason"] for entry in pauses] == [
        "There is no such company.",
        "This takes the role Op or Admin: ask somebody who has one of them.",
        "This page is out of date: go back, reload it and try again.",
    ]


def test_who_is_named_no_longer_sees_it_no_longer(web: Web, named: None):
    take(web.db, "user", "engineer", "acme")
    assert web.as_("engineer").get("companies/acme").status_code == 404
    give(web.db, "user", "engineer", "*")
    assert web.as_("engineer").get("companies/globex").status_code == 200
    assert [entry["facts"]["company_id"] for entry in audited(web.db, "company_member.delete")] == [
        ["acme", None]
    ]
