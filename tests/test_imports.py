from __future__ import annotations

import subprocess
import sys

import pytest

from local.directory import ROOT

FOLDERS = ("dags", "include", "local", "plugins", "sandbox")
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if path.name not in ("__init__.py", "__main__.py")
)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_module_can_be_imported(folder, tmp_path):
    modules = [module for module in MODULES if module.startswith(f"{folder}.")]
    assert modules
    code = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
    subprocess.run(
        [sys.executable, "-c", code, *modules],
        cwd=ROOT,
        env={"AIRFLOW_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        check=True,
    )
