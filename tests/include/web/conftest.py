from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.support.fixtures_web import Web, running_fab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fastapi import FastAPI

    from local.embedded_postgres import EmbeddedPostgres
    from sandbox.control import SandboxControl


@pytest.fixture(scope="session")
def app() -> FastAPI:
    """The app as it is built for Airflow, to look at; it answers nothing in this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Airflow's own dependencies say about each other
        from include.web.app import create_app

        return create_app()


@pytest.fixture
def add_company(db: psycopg.Connection) -> Callable[..., str]:
    """Add a company that was connected at some time, without asking QuickBooks; returns its id."""

    def add(
        company_id: str = "acme",
        *,
        name: str = "Acme",
        source_name: str | None = "Acme Books",
        realm_id: str = "9130001",
        status: str = "connected",
    ) -> str:
        db.execute(
            "insert into peakflo.company (company_id, realm_id, name, source_name) values (%s, %s, %s, %s)",
            [company_id, realm_id, name, source_name],
        )
        db.execute(
            "insert into sync.connection (company_id, realm_id, status, connected_by) values (%s, %s, %s, 'admin')",
            [company_id, realm_id, status],
        )
        return company_id

    return add


@pytest.fixture(scope="session")
def fab_server(
    embedded_postgres: EmbeddedPostgres,
    sandbox_process: SandboxControl,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Web]:
    """Another Airflow: with users and roles as compose has them, below a path of a reverse proxy."""
    with running_fab(embedded_postgres, sandbox_process, tmp_path_factory.mktemp("fab")) as server:
        yield server


@pytest.fixture
def fab(fab_server: Web, web: Web, add_company: Callable[..., str]) -> Web:
    """The other Airflow over the receivables database of the test, with a company in it."""
    add_company("acme")
    return replace(fab_server, db=web.db)


@pytest.fixture
def server(embedded_postgres: EmbeddedPostgres) -> Iterator[psycopg.Connection]:
    """A connection to the server of the databases, but to none of the tests'."""
    with psycopg.connect(embedded_postgres.url("postgres"), autocommit=True) as connection:
        yield connection
