"""What docker-compose.yaml says, as Docker Compose reads it."""

from __future__ import annotations

import re
import secrets
import shlex
from typing import TYPE_CHECKING, Any

import yaml
from cryptography.fernet import Fernet

from local.directory import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

TEXT = (ROOT / "docker-compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
EXAMPLE_TEXT = (ROOT / ".env.example").read_text()
EXAMPLE = dict(line.split("=", 1) for line in EXAMPLE_TEXT.splitlines() if line and not line.startswith("#"))
# The connections that .env.example proposes: with Intuit's production, and with the sandbox.
[PRODUCTION_CONNECTION, SANDBOX_CONNECTION] = re.findall(
    r"^# AIRFLOW_CONN_QUICKBOOKS='(.*)'$", EXAMPLE_TEXT, re.MULTILINE
)
VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?:(?P<operator>:[-?])(?P<operand>[^}]*))?\})")


class MissingValueError(Exception):
    """A value that has to be set is not; the message says which."""


def filled_in(**values: str) -> dict[str, str]:
    """Return .env as somebody fills it in, to try everything with the sandbox."""
    generated = {name: value or secrets.token_hex(16) for name, value in EXAMPLE.items()}
    keys = {
        "AIRFLOW_FERNET_KEY": Fernet.generate_key().decode(),
        "AIRFLOW_CONN_QUICKBOOKS": SANDBOX_CONNECTION,
        "ADMIN_USERNAME": "admin",
        "ADMIN_EMAIL": "admin@example.com",
    }
    return {**generated, **keys, **values}


def services(values: Mapping[str, str], *further: str) -> dict[str, dict[str, Any]]:
    """
    Return the services, with the values of variables in their places.

    :param further: files of the repository that are given to compose besides.
    """
    given: dict[str, dict[str, Any]] = SERVICES
    for file in further:
        given = _merge(given, yaml.safe_load((ROOT / file).read_text())["services"])
    interpolated: dict[str, dict[str, Any]] = _interpolate(given, values)
    return interpolated


def words(command: str | list[str]) -> list[str]:
    """Return a command as a list of words: compose splits a text as a shell does."""
    return shlex.split(command) if isinstance(command, str) else command


def seconds(duration: str) -> float:
    """Return how long a duration is, such as ``2m`` or ``10s``."""
    return float(duration[:-1]) * {"s": 1, "m": 60}[duration[-1]]


def health_check(service: Mapping[str, Any]) -> list[str]:
    """Return the command that tells whether a service is healthy."""
    kind, *command = service["healthcheck"]["test"]
    return ["/bin/sh", "-c", *command] if kind == "CMD-SHELL" else command


def _merge(given: Any, further: Any) -> Any:
    if isinstance(given, dict) and isinstance(further, dict):
        return {**given, **{name: _merge(given.get(name), value) for name, value in further.items()}}
    return further


def _interpolate(given: Any, values: Mapping[str, str]) -> Any:
    if isinstance(given, dict):
        return {name: _interpolate(value, values) for name, value in given.items()}
    if isinstance(given, list):
        return [_interpolate(value, values) for value in given]
    if isinstance(given, str):
        return VARIABLE.sub(lambda found: _value(found, values), given)
    return given


def _value(found: re.Match[str], values: Mapping[str, str]) -> str:
    if not found["name"]:
        return "$"
    value = values.get(found["name"], "")
    if value or found["operator"] is None:
        return value
    if found["operator"] == ":?":
        raise MissingValueError(found["operand"])
    return found["operand"]
