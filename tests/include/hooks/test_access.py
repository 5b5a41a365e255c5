from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from include.errors import ConfigurationError
from include.hooks.access import get_access
from include.receivables.connecting import connections
from tests.support.airflow_settings import FERNET_KEY, define_connections


@pytest.fixture(autouse=True)
def defined(monkeypatch, sandbox, db_url):
    define_connections(monkeypatch, sandbox, db_url)


def test_access_reaches_the_database_and_the_books_that_the_connections_name(sandbox):
    from include.quickbooks.entities import ACCOUNT

    created = sandbox.create_company(books="empty")
    access = get_access()
    with access.connect() as db:
        connections.connect_company(
            db,
            company_id="acme",
            name="Acme",
            realm_id=created["realm_id"],
            refresh_token=created["refresh_token"],
            connected_by="test",
            app=access.app,
            cipher=access.cipher,
        )

    with access.open_books("acme") as books:
        assert books.quickbooks.count(ACCOUNT) > 0
        assert books.db.autocommit is True


def test_tokens_are_encrypted_with_airflows_key():
    encrypted = get_access().cipher.encrypt("a-token")

    assert Fernet(FERNET_KEY).decrypt(encrypted).decode() == "a-token"


def test_without_airflows_key_no_work_begins(monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "")

    with pytest.raises(ConfigurationError, match="set AIRFLOW__CORE__FERNET_KEY"):
        get_access()


def test_a_quickbooks_connection_that_is_missing_is_said_before_any_work_begins(monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_QUICKBOOKS")

    with pytest.raises(ConfigurationError, match="'quickbooks' is not defined"):
        get_access()


def test_a_database_connection_that_is_missing_is_said_at_the_first_use(monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_RECEIVABLES_DB")

    with pytest.raises(ConfigurationError, match="'receivables_db' is not defined"):
        get_access().connect()
