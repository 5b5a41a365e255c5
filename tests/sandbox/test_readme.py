"""The table of switches has all of them, and names tests and sources that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

import sandbox
from sandbox.injection import Kind
from sandbox.serving import Oddity
from sandbox.settings import PROFILES, Settings
from sandbox.webhooks import WebhookFault, WebhookSettings

HERE = Path(__file__).parent
TEXT = (Path(sandbox.__file__).parent / "README.md").read_text()
WEBHOOK_FAULTS = get_args(get_type_hints(WebhookFault)["kind"])
SWITCHES = {
    *Settings.__struct_fields__,
    *get_args(Kind),
    *Oddity.__struct_fields__,
    *WebhookSettings.__struct_fields__,
    *WEBHOOK_FAULTS,
} - {"entity", "id"}


@pytest.mark.parametrize("switch", sorted(SWITCHES))
def test_each_switch_has_its_row(switch: str) -> None:
    assert any(f"`{switch}`" in line.split("|")[1] for line in TEXT.splitlines() if line.startswith("| `"))


def test_each_test_and_each_source_exists() -> None:
    named = re.findall(r"`(test_\w+)::(test_\w+)`", TEXT)
    assert len(named) > 40
    for module, function in named:
        assert f"def {function}(" in (HERE / f"{module}.py").read_text()
    cited = set(re.findall(r"\]\[(\w+)\]", TEXT))
    assert cited == set(re.findall(r"^\[(\w+)\]: https://", TEXT, re.MULTILINE))


def test_a_profile_holds_settings() -> None:
    for values in PROFILES.values():
        assert set(values) <= set(Settings.__struct_fields__)
