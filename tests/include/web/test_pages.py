"""What every page has in common: headers, errors, escaping, links, files, and nothing secret."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urljoin

import markupsafe
import requests

from tests.support.airflow_settings import FERNET_KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from tests.support.fixtures_web import Web
    from tests.support.workbench import Workbench

MARKUP = """"><script>alert(1)</script><img src=x onerror=alert(1)>' onclick='x" &amp; {{ 7*7 }} {% raw %}"""
COMPANY_PAGES = (
    "companies/acme",
    "companies/acme/mapping",
    "companies/acme/import",
    "companies/acme/progress",
    "companies/acme/disconnect",
    "companies/acme/reconnect",
    "companies/acme/change-organisation",
    "companies/acme/deliveries",
)
PAGES = ("", "connect", "disconnected", *COMPANY_PAGES)


def test_every_answer_says_what_a_browser_may_do_with_it(web: Web, add_company: Callable[..., str]):
    add_company("acme")
    browser = web.as_("admin")
    for path in (*PAGES, "companies/nobody", "nothing", "static/pages.css", "static/nothing"):
        headers = browser.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'self'; base-uri 'none'; frame-ancestors 'self'; "), path
        assert "unsafe" not in policy, path
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Referrer-Policy"] == "same-origin", path
        caching = "public, max-age=86400" if path == "static/pages.css" else "no-store"
        assert headers["Cache-Control"] == caching, path


def test_only_a_page_that_leads_to_quickbooks_lets_its_form_go_there(web: Web):
    browser = web.as_("admin")
    assert web.sandbox is not None
    policy = {path: browser.get(path).headers["Content-Security-Policy"] for path in ("", "connect")}
    assert policy[""].endswith("form-action 'self'")
    assert policy["connect"].endswith(f"form-action 'self' {web.sandbox.base_url}")


def test_no_page_has_code_or_style_of_its_own_or_of_another_host(web: Web, add_company: Callable[..., str]):
    add_company("acme")
    browser = web.as_("admin")
    for path in PAGES:
        page = browser.get(path).text
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page, re.IGNORECASE), path
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page)), path
        files = re.findall(r'(?:src|link[^>]+href)="([^"]*)"', page)
        assert all(file.startswith("/quickbooks/static/") for file in files), path


def test_names_are_text_wherever_they_stand(web: Web, add_company: Callable[..., str]):
    add_company("acme", name=MARKUP, source_name=MARKUP)
    browser = web.as_("admin")
    for path in ("", *COMPANY_PAGES):
        answer = browser.get(path)
        assert answer.status_code == 200, path
        assert "<script>alert" not in answer.text, path
        assert "<img src=x" not in answer.text, path
    assert str(markupsafe.escape(MARKUP)) in browser.get("").text


def test_what_a_request_brings_is_text_in_the_answer(web: Web):
    browser = web.as_("admin")
    markup = quote(MARKUP, safe="")
    for path in ("?q={}", "?status={}", "?page={}", "connect?company_id={}", "callback?state={}", "{}"):
        answer = browser.get(path.format(markup))
        assert answer.status_code in (200, 400, 404, 422), path
        assert "<script>alert" not in answer.text, path
        assert "<img src=x" not in answer.text, path
    assert "{{ 7*7 }}" in browser.get(f"?q={markup}").text


def test_no_file_but_the_pages_own_can_be_had(web: Web):
    for path in (
        "static/../security.py",
        "static/..%2fsecurity.py",
        "static/%2e%2e/%2e%2e/errors.py",
        "static/..%5c..%5cerrors.py",
        "static//etc/passwd",
        "static/%2fetc%2fpasswd",
        "static/",
    ):
        answer = _send_as_it_is(web.anonymous.absolute(path))
        assert answer.status_code in (303, 404), path
        assert "import annotations" not in answer.text, path
        assert "root:" not in answer.text, path


def _send_as_it_is(url: str) -> requests.Response:
    """Ask for a URL without having it tidied up."""
    request = requests.Request("GET", url).prepare()
    request.url = url
    with requests.Session() as session:
        return session.send(request, timeout=10, allow_redirects=False)


def test_values_that_cannot_be_get_one_sentence(web: Web, add_company: Callable[..., str]):
    add_company("acme")
    browser = web.as_("admin")
    too_much = "9" * 20
    for path in ("?q=%00", "?page=0", f"?page={too_much}", "?page=x", "callback?state=%00"):
        assert browser.get(path).status_code in (400, 422), path
    assert browser.get(f"companies/acme/deliveries/{too_much}").status_code in (404, 422)


def test_a_script_that_is_not_signed_in_is_told_so_and_not_sent_to_a_page(web: Web):
    for headers in ({"Accept": "application/json"}, {"Sec-Fetch-Mode": "cors"}):
        assert web.anonymous.get("", headers=headers).status_code == 401


def test_after_signing_in_one_is_where_one_wanted_to_be(web: Web, add_company: Callable[..., str]):
    add_company("acme")
    answer = web.anonymous.get("companies/acme?state=failed&dag_id=x")
    wanted = unquote(answer.headers["location"].partition("?next=")[2])
    assert wanted == "/quickbooks/companies/acme?state=failed&dag_id=x"
    assert web.as_("viewer").get(wanted).status_code == 200


def test_no_path_leads_to_another_site(web: Web):
    for path in ("//elsewhere.example/", "%2F%2Felsewhere.example", "http://elsewhere.example/"):
        for browser in (web.anonymous, web.as_("admin")):
            answer = browser.get(f"{web.url}/quickbooks/{path}")
            location = urljoin(answer.url, answer.headers.get("location", "/"))
            assert location.startswith(f"{web.url}/"), path


def test_a_forged_sign_in_sees_nothing(web: Web):
    browser = web.anonymous
    browser.cookies.set("_token", "forged.forged.forged")
    answer = browser.get("")
    assert answer.status_code in (303, 403)
    assert "Metered calls" not in answer.text


def test_no_page_and_no_log_has_a_token_or_a_secret(web: Web, bench: Workbench, db: psycopg.Connection):
    bench.imported(company_id="acme")
    row = db.execute("select access_token, refresh_token from sync.connection").fetchone()
    assert row is not None
    plain = [bench.access.cipher.decrypt(token) for token in row]
    browser = web.as_("admin")
    sign_in = browser.cookies["_token"]
    secrets = [*row, *plain, sign_in, "sandbox-secret", FERNET_KEY, *web.passwords.values()]
    for path in PAGES:
        answer = browser.get(path)
        assert answer.status_code == 200, (path, answer.text)
        assert not [secret for secret in secrets if secret in f"{answer.headers}{answer.text}"], path
    log = web.log.read_text()
    assert not [secret for secret in secrets if secret in log]
