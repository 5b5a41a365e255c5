from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

# Before any test imports Airflow.
from tests.support import airflow_settings  # noqa: F401

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def define_quickbooks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Define the connection quickbooks with some extras."""

    def define(login: str | None = "the-id", password: str | None = "the-secret", **extra: Any) -> None:
        connection = {"conn_type": "http", "login": login, "password": password, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS", json.dumps(connection))

    return define
