from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from tenacity import wait_none
from xdist.scheduler import LoadScopeScheduling

from include.quickbooks import client
from tests.support import airflow_settings  # before anything imports Airflow
from tests.support.databases import Databases
from tests.support.kept_companies import KeptCompanies
from tests.support.other_process import Keys
from tests.support.sandbox_process import running_sandbox
from tests.support.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.receivables.company.access import Access
    from local.embedded_postgres import EmbeddedPostgres
    from sandbox.control import SandboxControl

pytest_plugins = ["tests.support.fixtures_local", "tests.support.fixtures_web"]


# What a module that names it takes long to start, or needs the machine for: such modules run one after another.
SHARED = {"running_stack": "installation", "SeveralHosts": "installation", "web: Web": "web"}


class ModulesTogether(LoadScopeScheduling):
    """Keeps on one of several workers the tests of a module, and all those that share what takes long to start."""

    def _split_scope(self, nodeid: str) -> str:
        return shared_by(nodeid.partition("::")[0])


@cache
def shared_by(module: str) -> str:
    """Name what the tests of a module share: an installation's place on the machine, or nothing but the module."""
    source = (airflow_settings.ROOT / module).read_text()
    return next((shared for name, shared in SHARED.items() if name in source), module)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is marked with ``intuit_changes`` as QuickBooks is today, and once with all that may change."""
    if (
        metafunc.definition.get_closest_marker("intuit_changes")
        and "sandbox_profile" in metafunc.fixturenames
    ):
        metafunc.parametrize("sandbox_profile", ["", "intuit_changes"], ids=["today", "changed"])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ModulesTogether:
    """Deal the tests to the workers."""
    return ModulesTogether(config, log)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask QuickBooks again at once where a read failed: how long that waits has a test of its own."""
    monkeypatch.setattr(client, "PAUSES", wait_none())


@pytest.fixture(scope="session")
def databases(embedded_postgres: EmbeddedPostgres) -> Databases:
    """Migrated databases."""
    return Databases(embedded_postgres)


@pytest.fixture
def db_url(databases: Databases, database_name: str) -> Iterator[str]:
    """The URL of a migrated, empty database of the test's own."""
    with databases.use(database_name) as url:
        yield url


@pytest.fixture
def db(db_url: str) -> Iterator[psycopg.Connection]:
    """A connection in autocommit mode to a migrated, empty database."""
    with psycopg.connect(db_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxControl]:
    """A QuickBooks sandbox in a process of its own, without any company."""
    with running_sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox_profile() -> str:
    """How QuickBooks behaves: as it does today, or a profile of sandbox.settings."""
    return ""


@pytest.fixture
def sandbox(sandbox_process: SandboxControl, sandbox_profile: str) -> SandboxControl:
    """The sandbox without faults, latency and other settings of an earlier test."""
    sandbox_process.reset()
    if sandbox_profile:
        sandbox_process.change_settings(profile=sandbox_profile)
    return sandbox_process


@pytest.fixture
def keys(sandbox: SandboxControl, db_url: str) -> Keys:
    """What it takes to work with an empty database and the sandbox, in this process or another."""
    return Keys.of(sandbox, db_url, airflow_settings.FERNET_KEY)


@pytest.fixture
def access(keys: Keys) -> Access:
    """Access to an empty database and to the sandbox."""
    return keys.access()


@pytest.fixture(scope="session")
def kept_companies() -> KeptCompanies:
    """What the tests of this session have imported."""
    return KeptCompanies()


@pytest.fixture
def bench(
    access: Access, sandbox: SandboxControl, db: psycopg.Connection, kept_companies: KeptCompanies
) -> Workbench:
    """Companies that can be connected, synced and compared with the truth."""
    return Workbench(access, sandbox, db, kept_companies)
