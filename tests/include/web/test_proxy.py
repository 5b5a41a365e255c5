"""The proxy of examples/proxy before Airflow with compose's users: TLS, and what comes through it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests
import yaml

from local.directory import ROOT, LocalDirectory
from local.files import read_json
from local.ports import HOST, free_port
from tests.support.fixtures_web import BASE_PATH
from tests.support.intuit import sign
from tests.support.killing import wait_until
from tests.support.tls import need

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.fixtures_web import Web

FOLDER = ROOT / "examples/proxy"
NAME = "localhost"
START_SECONDS = 60
TIMEOUT = 60
SPOOFED = "203.0.113.7"
SECRET = "code-that-opens-the-books"


@dataclass(frozen=True)
class Proxy:
    """A proxy that runs, and what it writes down."""

    port: int
    plain_port: int
    log: Path
    ca: Path

    @property
    def url(self) -> str:
        return f"https://{NAME}:{self.port}"

    def request(self, method: str, path: str, **arguments: Any) -> requests.Response:
        return requests.request(
            method, self.url + path, verify=self.ca, timeout=TIMEOUT, allow_redirects=False, **arguments
        )

    def get(self, path: str, **arguments: Any) -> requests.Response:
        return self.request("GET", path, **arguments)


@pytest.fixture(scope="module")
def proxy(fab_server: Web, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    yield from running(urlsplit(fab_server.url).netloc, tmp_path_factory.mktemp("proxy"))


@pytest.fixture
def proxy_before_nothing(tmp_path: Path) -> Iterator[Proxy]:
    yield from running(f"{HOST}:{free_port()}", tmp_path)


def running(upstream: str, folder: Path) -> Iterator[Proxy]:
    program = shutil.which("caddy")
    need("caddy", found=program is not None)
    ca = folder / "caddy/pki/authorities/local/root.crt"
    proxy = Proxy(free_port(), free_port(), folder / "proxy.log", ca)
    variables = {
        "AIRFLOW_HOST": NAME,
        "AIRFLOW_UPSTREAM": upstream,
        "AIRFLOW_PATH": BASE_PATH,
        "PROXY_HTTPS_PORT": str(proxy.port),
        "PROXY_HTTP_PORT": str(proxy.plain_port),
        "PROXY_PATIENCE": "0s",
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    command = [str(program), "run", "--adapter", "caddyfile", "--config", str(FOLDER / "Caddyfile")]
    with proxy.log.open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **variables}, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            assert process.poll() is None, proxy.log.read_text()
            assert time.monotonic() < deadline, proxy.log.read_text()
            with suppress(OSError):  # it makes its certificate first
                proxy.get("/starting")
                break
            time.sleep(0.1)
        yield proxy
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def access_log(web: Web, marker: str) -> list[str]:
    """Return what the API server wrote down of requests whose path has a marker."""

    def lines() -> list[str]:
        return [line for line in web.log.read_text().splitlines() if marker in line]

    wait_until(lambda: bool(lines()))
    return lines()


def test_who_does_not_speak_https_is_sent_there(proxy: Proxy):
    answer = requests.get(
        f"http://{NAME}:{proxy.plain_port}{BASE_PATH}/", timeout=TIMEOUT, allow_redirects=False
    )
    assert answer.status_code in (301, 308)
    assert answer.headers["location"].startswith(f"https://{NAME}")


def test_a_user_signs_in_with_cookies_for_https_only_and_sees_the_pages(fab: Web, proxy: Proxy):
    browser = requests.Session()
    trusting = {"verify": proxy.ca, "timeout": TIMEOUT}
    page = browser.get(f"{proxy.url}{BASE_PATH}/auth/login/", **trusting)
    [token] = re.findall(r'name="csrf_token"[^>]*value="([^"]*)"', page.text)
    form = {"username": "engineer", "password": fab.passwords["engineer"], "csrf_token": token}
    answer = browser.post(
        f"{proxy.url}{BASE_PATH}/auth/login/",
        data=form,
        headers={"Referer": page.url},
        allow_redirects=False,
        **trusting,
    )
    assert {cookie.name for cookie in browser.cookies} >= {"session", "_token"}
    assert all(cookie.secure for cookie in browser.cookies)
    assert answer.headers["strict-transport-security"] == "max-age=31536000"

    company = browser.get(f"{proxy.url}{BASE_PATH}/quickbooks/companies/acme", **trusting)
    assert company.status_code == 200
    assert f"http://{NAME}" not in company.text
    # A form is sent from this site, as the server sees it.
    [token] = re.findall(r'<meta name="csrf-token" content="([^"]*)">', company.text)
    paused = browser.post(
        f"{proxy.url}{BASE_PATH}/quickbooks/companies/acme/pause",
        data={"csrf_token": token},
        headers={"Origin": proxy.url, "Referer": company.url},
        allow_redirects=False,
        **trusting,
    )
    assert paused.status_code == 303, paused.text


def test_an_address_that_a_request_claims_is_not_believed(fab: Web, proxy: Proxy):
    claims = {"X-Forwarded-For": SPOOFED, "X-Forwarded-Proto": "http", "Forwarded": f"for={SPOOFED}"}
    proxy.get(f"{BASE_PATH}/quickbooks/health?claimed=address", headers=claims)
    [line] = access_log(fab, "claimed=address")
    assert SPOOFED not in line
    # Without the proxy, this server does believe it: it is told to, of this machine.
    fab.anonymous.get("health?claimed=directly", headers=claims)
    [line] = access_log(fab, "claimed=directly")
    assert SPOOFED in line


@pytest.mark.parametrize(
    "path",
    [
        "/execution",
        "/execution/health/ping",
        "//execution/health/ping",
        "/%65xecution/health/ping",
        "/Execution/health",
        "/quickbooks/../execution/health/ping",
    ],
)
def test_what_tasks_call_is_not_reached(fab: Web, proxy: Proxy, path: str):
    with requests.Session() as session:
        request = requests.Request("GET", proxy.url).prepare()
        request.url = proxy.url + BASE_PATH + path  # as it stands
        answer = session.send(request, verify=str(proxy.ca), timeout=TIMEOUT, allow_redirects=False)
    assert (answer.status_code, answer.text) == (404, "")


def test_a_webhook_comes_through_as_it_was_signed(fab: Web, proxy: Proxy):
    token = read_json(LocalDirectory(fab.log.parent).secrets)["webhook_verifier_token"]
    body = b'[ {"specversion" : "1.0"} ]'
    statuses = [
        proxy.request(
            "POST",
            f"{BASE_PATH}/quickbooks/webhook",
            data=body,
            headers={"intuit-signature": sign(body, key), "Content-Type": "application/cloudevents+json"},
        ).status_code
        for key in (token, "somebody-elses")
    ]
    assert statuses == [200, 401]
    fab.refused.append(401)


def test_a_request_that_is_too_large_is_turned_away(fab: Web, proxy: Proxy):
    answer = proxy.request("POST", f"{BASE_PATH}/auth/token", data=b"x" * (9 * 1024 * 1024))
    assert answer.status_code in (413, 502)  # the latter from a Caddy before 2.7


def test_code_and_state_of_a_consent_are_in_no_log_of_the_proxy(fab: Web, proxy: Proxy):
    place = f"{BASE_PATH}/quickbooks/callback?code={SECRET}&state={SECRET}"
    proxy.get(place)
    proxy.get(f"{BASE_PATH}/quickbooks/static/none.css", headers={"Referer": proxy.url + place})
    wait_until(lambda: "none.css" in proxy.log.read_text())

    uris = [
        json.loads(line)["request"]["uri"]
        for line in proxy.log.read_text().splitlines()
        if '"request"' in line
    ]
    assert f"{BASE_PATH}/quickbooks/callback?" in uris
    assert SECRET not in proxy.log.read_text()


def test_nor_are_they_while_airflow_is_away(proxy_before_nothing: Proxy):
    answer = proxy_before_nothing.get(f"/quickbooks/callback?code={SECRET}&state={SECRET}")
    assert answer.status_code == 502
    wait_until(lambda: "connection refused" in proxy_before_nothing.log.read_text())
    assert SECRET not in proxy_before_nothing.log.read_text()


def test_what_airflow_has_said_so_far_is_passed_on_at_once(tmp_path: Path):
    is_heard = threading.Event()

    class Growing(BaseHTTPRequestHandler):
        """The log of a task that runs: the rest comes once somebody has heard the beginning."""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/x-ndjson")
            self.end_headers()
            self.wfile.write(b"began\n")
            is_heard.wait(TIMEOUT)
            self.wfile.write(b"ended\n")

    server = ThreadingHTTPServer((HOST, 0), Growing)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    is_heard.set()  # for the proxy's start, which asks, too
    try:
        for proxy in running(f"{HOST}:{server.server_port}", tmp_path):
            is_heard.clear()
            lines = proxy.get("/logs", stream=True).iter_lines(chunk_size=1)
            assert next(lines) == b"began"
            is_heard.set()
            assert next(lines) == b"ended"
    finally:
        is_heard.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_compose_believes_the_proxy_and_nobody_else():
    services = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    [address] = [each["ipv4_address"] for each in services["proxy"]["networks"].values()]
    assert services["airflow-apiserver"]["environment"]["FORWARDED_ALLOW_IPS"] == address
    assert "./examples/proxy/Caddyfile:/etc/caddy/Caddyfile:ro" in services["proxy"]["volumes"]
