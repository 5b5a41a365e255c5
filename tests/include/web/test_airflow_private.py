"""What is not public in Airflow stands in one place, which says on which versions it was tried."""

from __future__ import annotations

import ast
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from include.web.airflow_private import TRIED_ON
from local.directory import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

HOME = "include/web/airflow_private/"
# What a worker loads before it is asked for anything; without it all works, and starts later.
WARM_UP = "include/airflow_config/airflow_local_settings.py"
SHIPPED = ("dags", "examples", "include", "plugins")
# Airflow's documentation: "Public Interface for Airflow 3.0+", "How-to: set configuration options", and its providers'.
PUBLIC = (
    "airflow.configuration",
    "airflow.plugins_manager",
    "airflow.providers",
    "airflow.sdk",
    "airflow.triggers.base",
)
PRIVATE = ("airflow.providers.fab", "airflow.sdk.execution_time", "airflow.sdk.providers_manager_runtime")


def imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def is_below(module: str, packages: tuple[str, ...]) -> bool:
    return any(f"{module}.".startswith(f"{package}.") for package in packages)


def private(source: str) -> list[str]:
    airflow = [name for name in imported(source) if is_below(name, ("airflow",)) and name != "airflow"]
    return [name for name in airflow if is_below(name, PRIVATE) or not is_below(name, PUBLIC)]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from airflow.sdk import dag\nimport airflow", []),
        ("from airflow.triggers.base import BaseEventTrigger", []),
        ("def f():\n    from airflow.models.dagrun import DagRun", ["airflow.models.dagrun.DagRun"]),
        ("import airflow.settings as s", ["airflow.settings"]),
        ("from airflow import settings", ["airflow.settings"]),
        ("from airflow.sdk.execution_time.comms import X", ["airflow.sdk.execution_time.comms.X"]),
    ],
)
def test_private_imports_are_told_from_others(source: str, found: list[str]):
    assert private(source) == found


def test_nothing_else_imports_what_is_private_in_airflow():
    found = {
        str(path.relative_to(ROOT)): names
        for folder in SHIPPED
        for path in (ROOT / folder).rglob("*.py")
        if (names := private(path.read_text()))
    }
    elsewhere = {path: names for path, names in found.items() if not path.startswith(HOME)}
    assert elsewhere.keys() == {WARM_UP}, elsewhere
    assert len(found) > len(elsewhere)


@pytest.mark.parametrize("package", TRIED_ON)
def test_it_was_tried_on_what_is_installed(package: str):
    assert version(package) == TRIED_ON[package], (
        f"{HOME} uses what is private in Airflow and was tried on {package} {TRIED_ON[package]}: run the tests below "
        f"tests/include/web and tests/dags on {version(package)}, mend what fails, and write the version down there."
    )
