"""The pages in another Airflow: with the users and roles of FAB, below a path of a reverse proxy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tests.support.fixtures_web import BASE_PATH

if TYPE_CHECKING:
    from tests.support.fixtures_web import Web


def test_fabs_roles_see_act_and_administer(fab: Web):
    for user, expected in {
        "viewer": (200, 404, 403, 403),
        "reminder": (403, 404, 403, 403),
        "engineer": (200, 404, 303, 403),
        "admin": (200, 404, 303, 200),
    }.items():
        browser = fab.as_(user)
        statuses = (
            browser.get("companies/acme").status_code,
            browser.get("companies/acme/reminders/no-run").status_code,
            browser.submit("companies/acme/auto-sync", switch="off").status_code,
            browser.get("companies/acme/disconnect").status_code,
        )
        assert statuses == expected, user


def test_fabs_users_start_runs_in_their_own_name(fab: Web):
    answer = fab.as_("engineer").submit("companies/acme/sync")
    assert answer.status_code == 303, answer.text
    found = fab.airflow(
        "admin", "GET", "eventLogs", params={"event": "trigger_dag_run", "dag_id": "quickbooks_to_peakflo"}
    )["event_logs"]
    assert [entry["owner"] for entry in found] == ["engineer"]


def test_the_anonymous_come_back_below_the_base_path(fab: Web):
    location = fab.anonymous.get("companies/acme").headers["location"]
    assert location.removeprefix(fab.url.removesuffix(BASE_PATH)).startswith(f"{BASE_PATH}/auth/login")
    assert unquote(location).endswith(f"next={BASE_PATH}/quickbooks/companies/acme")


def test_every_link_of_every_page_stays_below_the_base_path(fab: Web):
    browser = fab.as_("admin")
    for page in (
        "",
        "connect",
        "companies/acme",
        "companies/acme/mapping",
        "companies/acme/deliveries",
        "nothing",
    ):
        answer = browser.get(page)
        links = re.findall(r'(?:href|src|action)="(/[^"]*)"', answer.text)
        assert links, page
        assert all(link.startswith(f"{BASE_PATH}/") for link in links), page
    for file in set(re.findall(r'(?:href|src)="([^"]*/static/[^"]*)"', answer.text)):
        assert browser.get(file).status_code == 200, file
    moved = browser.submit("companies/acme/pause")
    assert moved.headers["location"] == f"{BASE_PATH}/quickbooks/companies/acme"
    assert f"Path={BASE_PATH}/quickbooks/" in moved.headers["set-cookie"]


def test_the_navigation_has_the_entry(fab: Web):
    views = [
        view
        for plugin in fab.airflow("admin", "GET", "plugins")["plugins"]
        for view in plugin["external_views"]
        if view["name"] == "QuickBooks"
    ]
    assert [(view["href"], view["url_route"]) for view in views] == [("quickbooks/", "quickbooks")]
    for icon in (views[0]["icon"], views[0]["icon_dark_mode"]):
        answer = fab.anonymous.get(f"{fab.url}/{icon}")
        assert answer.headers["content-type"].startswith("image/svg+xml")


def test_behind_a_proxy_with_tls_every_cookie_is_for_https_only(fab: Web):
    browser = fab.as_("engineer")
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}
    form = {"csrf_token": browser.csrf("companies/acme"), "switch": "off"}
    ours = browser.post("companies/acme/auto-sync", data=form, headers=forwarded)
    session = fab.anonymous.get(f"{fab.url}/auth/login/", headers=forwarded)

    assert ours.status_code == 303, ours.text
    for answer, name in ((ours, "quickbooks_notice"), (session, "session")):
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"{name}="), cookie
        assert {"secure", "httponly"} <= {part.strip().lower() for part in cookie.split(";")}, cookie


def test_a_sign_in_through_the_proxy_gives_a_cookie_for_https_only(fab: Web):
    forwarded = {"X-Forwarded-Proto": "https", "Referer": f"{fab.url}/auth/login/".replace("http:", "https:")}
    page = fab.anonymous.get(f"{fab.url}/auth/login/", headers=forwarded)
    [token] = re.findall(r'name="csrf_token"[^>]*value="([^"]*)"', page.text)
    form = {"username": "engineer", "password": fab.passwords["engineer"], "csrf_token": token}
    # A browser that speaks https would send it.
    session = page.headers["set-cookie"].partition(";")[0]
    answer = fab.anonymous.post(f"{fab.url}/auth/login/", data=form, headers={**forwarded, "Cookie": session})

    cookies = [cookie for cookie in answer.raw.headers.getlist("set-cookie") if cookie.startswith("_token=")]
    assert cookies, (answer.status_code, answer.headers)
    for cookie in cookies:
        assert {"secure", "httponly"} <= {part.strip().lower() for part in cookie.split(";")}, cookie
