from __future__ import annotations

import pytest

from include.hooks.decision_makers import read_asking

FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
PAGES = "https://airflow.example.com/quickbooks/"


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch):
    def set_all(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(f"AIRFLOW__{name}", value)

    return set_all


def test_the_users_of_simple_auth_manager_may_answer_by_their_roles(settings):
    settings(CORE__SIMPLE_AUTH_MANAGER_USERS="ada:ADMIN,bo:op, cy:user,di:viewer,ed:Op:red|blue")

    asking = read_asking(PAGES)

    assert (asking.ops, asking.admins) == (("ada", "bo", "ed"), ("ada",))
    assert asking.pages_url == PAGES


def test_with_another_auth_manager_nobody_may_who_is_not_named(settings):
    settings(CORE__AUTH_MANAGER=FAB, CORE__SIMPLE_AUTH_MANAGER_USERS="ada:admin")

    asking = read_asking(PAGES)

    assert (asking.ops, asking.admins) == ((), ())


@pytest.mark.parametrize("auth_manager", [FAB, ""])
def test_the_setting_names_who_may(settings, auth_manager: str):
    settings(QUICKBOOKS__DECISION_MAKERS="1:admin,7:op,8:,:admin,,9:user")
    if auth_manager:
        settings(CORE__AUTH_MANAGER=auth_manager)

    asking = read_asking(PAGES)

    assert (asking.ops, asking.admins) == (("1", "7"), ("1",))
