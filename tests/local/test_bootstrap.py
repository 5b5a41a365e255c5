from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from local.bootstrap import DEVELOP, Environment, SetupError
from local.directory import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """A checkout whose requirements ask for nothing, on a machine that reaches no package index."""
    for name in ("PIP_NO_INDEX", "UV_OFFLINE", "UV_NO_INDEX"):
        monkeypatch.setenv(name, "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    root = tmp_path / "a checkout"
    for folder in ("bin", "local"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in DEVELOP:
        (root / name).write_text("# nothing\n")
    return root


def make_wheel(folder: Path, name: str) -> Path:
    """Make a package that holds nothing."""
    wheel = folder / f"{name}-1-py3-none-any.whl"
    files = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: none\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for file, content in files.items():
            archive.writestr(f"{name}-1.dist-info/{file}", content)
    return wheel


def run(checkout: Path, command: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "bin" / command, *arguments],
        cwd="/",
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def old_machine(tmp_path) -> Path:
    """A folder for the PATH with what a shell needs and a python3 that is too old."""
    folder = tmp_path / "path"
    folder.mkdir()
    for program in ("dirname", "readlink", "sh"):
        (folder / program).symlink_to(str(shutil.which(program)))
    (folder / "python3").write_text("#!/bin/sh\nexit 1\n")
    (folder / "python3").chmod(0o755)
    return folder


def test_a_machine_with_an_old_python_gets_one_sentence(checkout, old_machine):
    result = run(checkout, "start", PATH=str(old_machine))
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "No Python 3.11 to 3.14" in result.stderr
    assert not (checkout / ".venv").exists()


def test_a_newer_python_beside_an_old_one_is_found(checkout, old_machine):
    (old_machine / "python3.11").symlink_to(sys.executable)
    result = run(checkout, "stop", PATH=str(old_machine))
    assert (result.returncode, result.stderr) == (0, "Nothing is running: nothing has been set up yet.\n")


def test_a_python_can_be_named(checkout, old_machine):
    assert run(checkout, "stop", PATH=str(old_machine), PYTHON=sys.executable).returncode == 0


def test_a_command_works_through_a_symbolic_link_and_from_any_folder(checkout, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(checkout / "bin" / "stop")
    result = subprocess.run([link], cwd="/", capture_output=True, text=True, check=False)
    assert result.stderr == "Nothing is running: nothing has been set up yet.\n"


def test_the_packages_are_installed_once(checkout, capsys):
    environment = Environment(checkout)
    assert not environment.has("requirements.txt")
    environment.install("requirements.txt")
    assert environment.has("requirements.txt")
    assert "uv cannot be used here" in capsys.readouterr().err  # and pip did it
    environment.install("requirements.txt")
    assert capsys.readouterr().err == ""


def test_changed_requirements_are_installed_again(checkout):
    environment = Environment(checkout)
    environment.install("requirements.txt")
    (checkout / "requirements.txt").write_text("# nothing, but otherwise\n")
    assert not environment.has("requirements.txt")
    environment.install("requirements.txt")
    assert environment.has("requirements.txt")


def test_what_is_installed_is_known_file_by_file(checkout):
    environment = Environment(checkout)
    environment.install(*DEVELOP)
    assert environment.has("requirements.txt")
    (checkout / "requirements-dev.txt").write_text("# nothing, but otherwise\n")
    assert environment.has("requirements.txt")
    assert not environment.has(*DEVELOP)


def test_another_environment_can_be_named(checkout):
    result = run(checkout, "receivables", VENV=".venv-other")
    assert "No module named" in result.stderr  # of the packages, there are none here
    assert Environment(checkout).path.name == ".venv"
    assert not (checkout / ".venv").exists()
    assert (checkout / ".venv-other" / "installed.json").exists()


@pytest.mark.parametrize("is_it", [True, False])
def test_a_package_that_is_not_the_file_that_was_pinned_is_refused(checkout, monkeypatch, is_it):
    wheel = make_wheel(checkout.parent, "tampered")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    content = wheel.read_bytes() if is_it else b"another file"
    digest = hashlib.sha256(content).hexdigest()
    (checkout / "requirements.txt").write_text(f"tampered==1 --hash=sha256:{digest}\n")
    environment = Environment(checkout)
    with nullcontext() if is_it else pytest.raises(SetupError):
        environment.install("requirements.txt")
    assert environment.has("requirements.txt") is is_it
    assert ("DO NOT MATCH THE HASHES" in environment.log.read_text()) is not is_it


def test_a_package_without_a_hash_is_refused(checkout, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(make_wheel(checkout.parent, "unpinned").parent))
    (checkout / "requirements.txt").write_text("unpinned==1\n")
    environment = Environment(checkout)
    with pytest.raises(SetupError):
        environment.install("requirements.txt")
    assert "Hashes are required" in environment.log.read_text()


def test_packages_that_cannot_be_had_are_told_with_the_log(checkout):
    digest = "0" * 64
    (checkout / "requirements.txt").write_text(f"no-such-package-here==1 --hash=sha256:{digest}\n")
    environment = Environment(checkout)
    with pytest.raises(SetupError, match=r"is the package index reachable.*install\.log"):
        environment.install("requirements.txt")
    assert "no-such-package-here" in environment.log.read_text()
    assert not environment.has("requirements.txt")


def test_a_set_up_that_was_killed_is_done_again(checkout):
    environment = Environment(checkout)
    environment.path.mkdir()
    (environment.path / "pyvenv.cfg").write_text("home = /nowhere\n")
    environment.install("requirements.txt")
    assert subprocess.run([environment.python, "-c", "import pip"], check=False).returncode == 0


def test_a_damaged_mark_is_not_trusted(checkout):
    environment = Environment(checkout)
    environment.install("requirements.txt")
    (environment.path / "installed.json").write_text('{"requirements.txt": ')
    assert not environment.has("requirements.txt")


def test_two_at_once_take_turns(checkout, capfd):
    errors = []

    def install() -> None:
        try:
            Environment(checkout).install("requirements.txt")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=install) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    said = capfd.readouterr().err
    assert said.count("Creating .venv") == 1
    assert said.count("Waiting for another set-up") == 1


def test_a_command_runs_in_the_environment_and_not_in_the_callers(checkout):
    environment = Environment(checkout)
    environment.install(*DEVELOP)
    package = next(environment.path.glob("lib/python3*/site-packages")) / "pytest.py"
    package.write_text(
        "import json, os, sys;"
        "print(json.dumps([sys.prefix, os.getcwd(), sys.argv[1:], sys.flags.dont_write_bytecode]))"
    )
    result = run(checkout, "test", "-k", "a b", PYTHONDONTWRITEBYTECODE="1", PYTHONPATH="/nowhere")
    assert json.loads(result.stdout) == [str(environment.path), str(checkout), ["-k", "a b"], 0]


def test_a_folder_that_cannot_be_written_gets_one_sentence(checkout):
    (checkout / ".venv").write_text("a file in the way")
    result = run(checkout, "receivables")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
