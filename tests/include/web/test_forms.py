"""Forms: only from our own pages, only by whom they were shown to, and no larger than any of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI, HTTPException, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.fixtures_web import Browser, Web

PAUSE = "companies/acme/pause"


@pytest.fixture
def browser(web: Web, add_company: Callable[..., str]) -> Browser:
    add_company("acme")
    return web.as_("engineer")


def status(web: Web) -> str:
    row = web.db.execute("select status from sync.connection where company_id = 'acme'").fetchone()
    assert row is not None
    return str(row[0])


def test_a_form_of_ours_is_taken(web: Web, browser: Browser):
    answer = browser.submit(PAUSE)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/quickbooks/companies/acme"
    assert status(web) == "paused"


def test_a_script_of_ours_may_send_the_token_in_a_header(web: Web, browser: Browser):
    answer = browser.post(PAUSE, headers={"X-CSRF-Token": browser.csrf()})
    assert answer.status_code == 303
    assert status(web) == "paused"


def test_a_form_without_our_token_changes_nothing(web: Web, browser: Browser):
    for fields in ({}, {"csrf_token": ""}, {"csrf_token": "forged"}, {"csrf_token": "x.y.z"}):
        answer = browser.post(PAUSE, data=fields)
        assert answer.status_code == 403
        assert "out of date" in answer.text
    assert status(web) == "connected"


def test_a_token_serves_nobody_else_and_no_other_sign_in(web: Web, browser: Browser):
    for other in (web.as_("admin"), web.sign_in("engineer")):
        assert browser.post(PAUSE, data={"csrf_token": other.csrf()}).status_code == 403
        assert other.post(PAUSE, data={"csrf_token": browser.csrf()}).status_code == 403
    assert status(web) == "connected"


def test_what_is_signed_for_another_purpose_is_no_token(web: Web, browser: Browser):
    browser.submit(PAUSE)
    notice = browser.cookies["quickbooks_notice"].strip('"')
    assert browser.post("companies/acme/resume", data={"csrf_token": notice}).status_code == 403
    assert status(web) == "paused"


def test_a_form_from_another_site_changes_nothing_even_with_a_token(web: Web, browser: Browser):
    fields = {"csrf_token": browser.csrf()}
    for headers in (
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert browser.post(PAUSE, data=fields, headers=headers).status_code == 403
    assert status(web) == "connected"


def test_a_form_may_say_that_it_comes_from_us(web: Web, browser: Browser):
    headers = {"Origin": web.url, "Sec-Fetch-Site": "same-origin"}
    answer = browser.post(PAUSE, data={"csrf_token": browser.csrf()}, headers=headers)
    assert answer.status_code == 303
    assert status(web) == "paused"


def test_a_program_with_a_token_of_its_own_is_no_browser_session(web: Web, browser: Browser):
    program = web.anonymous
    program.headers["Authorization"] = f"Bearer {web.token('engineer')}"
    own = program.csrf()
    program.headers["Authorization"] = f"Bearer {web.token('engineer')}"
    assert browser.post(PAUSE, data={"csrf_token": own}).status_code == 403
    assert program.post(PAUSE).status_code == 403
    assert program.post(PAUSE, data={"csrf_token": own}).status_code == 303
    assert status(web) == "paused"


def test_an_origin_is_told_apart_from_none_where_airflow_does_not_know_its_own(app: FastAPI):
    from include.web import security

    def check(**headers: str) -> None:
        named = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "scheme": "http", "path": "/", "headers": [(b"host", b"airflow:80"), *named]}
        security._check_origin(Request(scope))

    assert security.API_BASE_URL == "/"
    check()
    check(origin="https://airflow:80")
    for origin in ("null", "", "https://airflow", "https://elsewhere:80"):
        with pytest.raises(HTTPException):
            check(origin=origin)


def test_reading_a_page_changes_nothing(web: Web, browser: Browser):
    assert browser.get(PAUSE).status_code == 405
    assert status(web) == "connected"


def test_an_oversized_form_is_refused(web: Web, browser: Browser):
    urlencoded = {"Content-Type": "application/x-www-form-urlencoded"}
    bodies: list[dict[str, Any]] = [
        {"data": {"csrf_token": "x" * 2_000_000}},
        {"files": {"csrf_token": ("name", "x" * 2_000_000)}},
        {"data": iter([b"csrf_token=", b"x" * 1_000_000, b"x" * 1_000_000]), "headers": urlencoded},
    ]
    for body in bodies:
        answer = browser.post(PAUSE, **body)
        assert answer.status_code == 413
        assert "larger than" in answer.text
    assert status(web) == "connected"


def test_a_form_that_cannot_be_read_is_refused(web: Web, browser: Browser):
    for kind, body in (
        ("application/x-www-form-urlencoded", b"%ff%fe=%00&csrf_token=%ff"),
        ("application/json", b'{"csrf_token": 1}'),
        ("multipart/form-data; boundary=x", b"--y\r\nnothing"),
        ("multipart/form-data", b"--y"),
        ("text/plain", b"\x00\x01"),
    ):
        answer = browser.post(PAUSE, data=body, headers={"Content-Type": kind})
        assert answer.status_code in (400, 403), kind
    assert status(web) == "connected"


def test_what_was_done_is_said_once_and_to_whom_did_it(web: Web, browser: Browser):
    answer = browser.submit(PAUSE)
    notice = browser.cookies["quickbooks_notice"]
    attributes = ("HttpOnly", "SameSite=lax", "Path=/quickbooks/", "Max-Age=60")
    assert all(attribute in answer.headers["set-cookie"] for attribute in attributes)
    assert "Paused: nothing is read" in browser.get("companies/acme").text
    assert "Paused: nothing is read" not in browser.get("companies/acme").text
    other = web.as_("admin")
    other.cookies.set("quickbooks_notice", notice)
    assert "Paused: nothing is read" not in other.get("companies/acme").text
