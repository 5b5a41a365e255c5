from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from local.directory import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def start(component: str, *, path: list[Path]) -> subprocess.CompletedProcess[str]:
    """Import what a component of Airflow imports at its start."""
    folders = [*path, ROOT / "include/airflow_config"]
    return subprocess.run(
        [sys.executable, "-c", "import airflow_local_settings", component],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def test_a_module_that_cannot_be_imported_beforehand_stops_no_start(tmp_path: Path):
    (tmp_path / "requests.py").write_text("raise ImportError('it is of another version')")

    started = start("scheduler", path=[tmp_path])

    assert started.returncode == 0, started.stdout
    assert "Tasks start later than they could" in started.stdout
    assert "it is of another version" in started.stdout


def test_what_is_as_expected_is_imported_without_a_word():
    started = start("scheduler", path=[])

    assert started.returncode == 0
    assert "Tasks start later" not in started.stdout
