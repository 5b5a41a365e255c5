"""The pages as a browser or a program meets them: a real Airflow API server with the plugin."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import uuid
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
import pytest
import requests
import yaml
from psycopg import sql

from local import environment
from local.directory import ROLES, ROOT, LocalDirectory
from local.ports import HOST, free_port
from tests.support.airflow_settings import FERNET_KEY, define_connections
from tests.support.databases import urls_of
from tests.support.killing import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fastapi import FastAPI

    from local.embedded_postgres import EmbeddedPostgres
    from sandbox.control import SandboxControl

# The API server knows one receivables database; each test that uses `web` gets a new one of this name.
WEB_DATABASE = "web"
AIRFLOW_DATABASE = "web_airflow"
USERS = {**ROLES, "viewer": "viewer"}
BASE_PATH = "/company/airflow"
FAB_ROLES = {"viewer": "Viewer", "user": "User", "engineer": "Op"}
START_SECONDS = 120
POLL_SECONDS = 0.2
TIMEOUT = 30
# What becomes of webhook deliveries that are not taken.
REFUSALS = ["unsigned", "forged", "not_configured", "malformed", "too_large"]


class Browser(requests.Session):
    """
    A session of one user that follows no redirect unless told to with ``follow=True``.

    :param url: of Airflow, with its base path.
    :param refused: takes the status of each webhook delivery that is refused.
    """

    def __init__(self, url: str, refused: list[int]) -> None:
        super().__init__()
        self.airflow_url = url
        self.refused = refused

    def request(self, method: str, url: str, **arguments: Any) -> requests.Response:  # type: ignore[override]
        """Ask for a path below the app (``companies/acme``), one of the server (``/api/v2/…``), or a URL."""
        arguments["allow_redirects"] = arguments.pop("follow", False)
        arguments.setdefault("timeout", TIMEOUT)
        answer = super().request(method, self.absolute(url), **arguments)
        if method == "POST" and url == "webhook" and 400 <= answer.status_code < 500:
            self.refused.append(answer.status_code)
        return answer

    def absolute(self, path: str) -> str:
        """Return the URL of a path."""
        if urlsplit(path).netloc:
            return path
        if path.startswith("/"):
            parts = urlsplit(self.airflow_url)
            return f"{parts.scheme}://{parts.netloc}{path}"
        return f"{self.airflow_url}/quickbooks/{path}"

    def csrf(self, page: str = "") -> str:
        """Return the token that a page's forms are sent with."""
        found = re.search(r'<meta name="csrf-token" content="([^"]*)">', self.get(page).text)
        assert found, f"{page!r} has no token"
        return unescape(found.group(1))

    def submit(self, path: str, page: str = "", **fields: Any) -> requests.Response:
        """Send a form as a page of ours would."""
        return self.post(path, data={"csrf_token": self.csrf(page), **fields})


@dataclass(frozen=True)
class Web:
    """
    Airflow with the plugin, for one test.

    :param url: of Airflow, with its base path.
    :param db: the receivables database that the pages read.
    """

    url: str
    passwords: dict[str, str]
    log: Path
    db: psycopg.Connection | None = None
    sandbox: SandboxControl | None = None
    refused: list[int] = field(default_factory=list)
    _tokens: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def anonymous(self) -> Browser:
        """Somebody who is not signed in."""
        return Browser(self.url, self.refused)

    def token(self, user: str) -> str:
        """Return a user's token for Airflow's API."""
        answer = requests.post(
            f"{self.url}/auth/token",
            json={"username": user, "password": self.passwords[user]},
            timeout=TIMEOUT,
        )
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def known_token(self, user: str) -> str:
        """Return a token of a user, the same each time."""
        if user not in self._tokens:
            self._tokens[user] = self.token(user)
        return self._tokens[user]

    def as_(self, user: str) -> Browser:
        """Return a session of ``viewer``, ``reminder`` (role user), ``engineer`` (role op) or ``admin``."""
        browser = Browser(self.url, self.refused)
        browser.cookies.set("_token", self.known_token(user))
        return browser

    def sign_in(self, user: str) -> Browser:
        """Sign a user in anew."""
        browser = Browser(self.url, self.refused)
        browser.cookies.set("_token", self.token(user))
        return browser

    def airflow(self, user: str, method: str, path: str, **arguments: Any) -> Any:
        """Call Airflow's own API as a user and return what it answers."""
        answer = requests.request(
            method,
            f"{self.url}/api/v2/{path}",
            headers={"Authorization": f"Bearer {self.token(user)}"},
            timeout=TIMEOUT,
            **arguments,
        )
        answer.raise_for_status()
        return answer.json()


@pytest.fixture
def database_name(request: pytest.FixtureRequest) -> str:
    """The name of the test's database: one like no other, or the one that the API server of `web` knows."""
    return WEB_DATABASE if "web" in request.fixturenames else f"test_{uuid.uuid4().hex}"


@pytest.fixture(scope="session")
def web_server(
    embedded_postgres: EmbeddedPostgres,
    sandbox_process: SandboxControl,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Web]:
    """An Airflow API server with the plugin; one for the whole session."""
    with running_web(embedded_postgres, sandbox_process, tmp_path_factory.mktemp("web")) as server:
        yield server


@pytest.fixture
def web(web_server: Web, db: psycopg.Connection, sandbox: SandboxControl) -> Iterator[Web]:
    """The pages over an empty receivables database and a sandbox without companies."""
    web = replace(web_server, db=db, sandbox=sandbox, refused=[])
    yield web
    if web.refused:
        # The server counts them a moment later: not in the next test's database.
        wait_until(lambda: count_refused(db) >= len(web.refused))


def count_refused(db: psycopg.Connection) -> int:
    """Count the refused webhook deliveries that are saved."""
    counted = "select coalesce(sum(total), 0)::bigint from sync.webhook_count where outcome = any(%s)"
    [(total,)] = db.execute(counted, [REFUSALS]).fetchall()
    return int(total)


@pytest.fixture
def webhook_app(sandbox: SandboxControl, db_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FastAPI]:
    """The webhook alone, in this process, whose connections a test may change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Airflow's own dependencies say about each other
        from fastapi import FastAPI

        from include.web.refusals import Refusals
        from include.web.routes import webhook

    define_connections(monkeypatch, sandbox, db_url)
    monkeypatch.setattr(webhook, "refusals", Refusals())
    remembered = (webhook._read_verifier_token, webhook._say_not_configured)
    for cached in remembered:
        cached.cache_clear()
    app = FastAPI(lifespan=webhook.saving_refusals)
    app.include_router(webhook.router)
    yield app
    for cached in remembered:
        cached.cache_clear()


@contextmanager
def running_web(
    postgres: EmbeddedPostgres,
    sandbox: SandboxControl,
    directory: Path,
    base_path: str = "",
    command: Sequence[str] = ("api-server",),
    *,
    is_fab: bool = False,
    **settings: str,
) -> Iterator[Web]:
    """
    Run an API server.

    :param base_path: the path that Airflow is served under, such as ``/airflow``.
    :param command: of Airflow's, that starts it.
    :param is_fab: whether users and roles are made as compose makes them, in FAB.
    :param settings: further variables of its environment.
    """
    home = LocalDirectory(directory)
    home.make()
    passwords = {user: f"{user}-password" for user in USERS}
    home.passwords.write_text(json.dumps(passwords))
    variables = _variables(postgres, sandbox, home, base_path) | settings
    web = Web(variables["AIRFLOW__API__BASE_URL"], passwords, directory / "api-server.log")
    if is_fab:  # all before the server starts: each of them makes the same permissions
        prepare(postgres, variables, web)
    else:
        _run(variables, web.log, *_airflow("db", "migrate"))
    with web.log.open("a") as output:
        process = subprocess.Popen(
            _airflow(*command), env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            if not is_fab:
                _run(variables, web.log, *_airflow("dags", "reserialize"))
            _wait_until_up(web, process)
            yield web
        finally:
            process.terminate()
            process.wait(START_SECONDS)


@contextmanager
def running_fab(postgres: EmbeddedPostgres, sandbox: SandboxControl, directory: Path) -> Iterator[Web]:
    """Run an API server with compose's auth manager, roles and users, and one user more of each of FAB's own roles."""
    compose = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
    auth_manager = compose["x-airflow"]["environment"]["AIRFLOW__CORE__AUTH_MANAGER"]
    command = compose["services"]["airflow-apiserver"]["command"].split()
    settings = {
        "AIRFLOW__CORE__AUTH_MANAGER": auth_manager,
        "AIRFLOW__API_AUTH__JWT_SECRET": "s" * 64,
        "AIRFLOW__FAB__COOKIE_SECURE": "True",
        "FORWARDED_ALLOW_IPS": HOST,
    }
    with running_web(postgres, sandbox, directory, BASE_PATH, command, is_fab=True, **settings) as server:
        for name, role in FAB_ROLES.items():
            server.passwords[name] = f"{name}-password"
            user = {
                "username": name,
                "password": server.passwords[name],
                "email": f"{name}@example.com",
                "first_name": name,
                "last_name": name,
                "roles": [{"name": role}],
            }
            token = {"Authorization": f"Bearer {server.token('admin')}"}
            made = requests.post(f"{server.url}/auth/fab/v1/users", json=user, headers=token, timeout=TIMEOUT)
            assert made.ok, made.text
        yield server


def _variables(
    postgres: EmbeddedPostgres, sandbox: SandboxControl, home: LocalDirectory, base_path: str
) -> dict[str, str]:
    """Return the environment of an installation, over a metadata database of its own."""
    port = free_port()
    database = f"{AIRFLOW_DATABASE}_{port}"
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as server:
        server.execute(sql.SQL("create database {} owner airflow").format(sql.Identifier(database)))
    addresses = environment.Addresses(
        airflow_port=port,
        databases={
            **urls_of(postgres.url(WEB_DATABASE)),
            "AIRFLOW_CONN_AIRFLOW_DB": postgres.url(database, "airflow"),
        },
        sandbox_port=urlsplit(sandbox.base_url).port,
    )
    users = ",".join(f"{user}:{role}" for user, role in USERS.items())
    return {
        **{key: value for key, value in os.environ.items() if key not in environment.CONNECTIONS},
        **environment.build(home, addresses),
        **addresses.databases,
        "AIRFLOW__API__BASE_URL": f"http://{HOST}:{port}{base_path}",
        "AIRFLOW__CORE__FERNET_KEY": FERNET_KEY,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": users,
    }


def _airflow(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).parent / "airflow"), *arguments]


def _run(variables: dict[str, str], log: Path, *command: str) -> None:
    done = subprocess.run(
        command,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    with log.open("a") as output:
        output.write(done.stdout + done.stderr)
    assert done.returncode == 0, done.stderr


def prepare(postgres: EmbeddedPostgres, variables: dict[str, str], web: Web) -> None:
    """Run what compose runs before everything else; with its roles and users."""
    databases = urls_of(postgres.url(f"prepared_{uuid.uuid4().hex}"))
    known = {
        **databases,
        "POSTGRES_ADMIN_URL": postgres.url("postgres"),
        "ADMIN_USERNAME": "admin",
        "ADMIN_PASSWORD": web.passwords["admin"],
        "ADMIN_EMAIL": "admin@example.com",
        "REMINDER_PASSWORD": web.passwords["reminder"],
    }
    _run({**variables, **known}, web.log, "sh", str(ROOT / "include/compose/prepare.sh"))


def _wait_until_up(web: Web, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, web.log.read_text()[-4000:]
        assert time.monotonic() < deadline, f"no answer: {web.log.read_text()[-4000:]}"
        try:
            if requests.get(f"{web.url}/api/v2/version", timeout=TIMEOUT).ok:
                return
        except requests.ConnectionError:
            pass
        time.sleep(POLL_SECONDS)
