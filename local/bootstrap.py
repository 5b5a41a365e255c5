"""
Set up the virtual environment, then run a command in it: ``bootstrap.py COMMAND [ARGUMENT…]``.

Runs on the system's Python and needs nothing but the standard library. What is installed is remembered as a
hash of each requirements file, so that a later start costs a few milliseconds.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
LOCAL = "requirements-local.txt"  # uv is among these
RUN = ("requirements.txt", LOCAL)
DEVELOP = (*RUN, "requirements-dev.txt")
# Each file lists everything, so nothing is looked for; and what is not the file that was pinned is not installed.
AS_PINNED = ("--no-deps", "--require-hashes")
PROGRESS_SECONDS = 5


@dataclass(frozen=True)
class Command:
    """
    A command below ``bin/``: the packages that it needs and the module that runs it.

    :param whole: the arguments where the caller gives none.
    :param before: arguments that go before the caller's.
    """

    module: str
    requirements: tuple[str, ...] = RUN
    runs_in_root: bool = False
    whole: tuple[str, ...] = ()
    before: tuple[str, ...] = ()


COMMANDS = {
    "start": Command("local.start"),
    "stop": Command("local.stop"),
    "receivables": Command("local.receivables"),
    "backup": Command("local.backups", before=("backup",)),
    "restore": Command("local.backups", before=("restore",)),
    "test": Command("pytest", DEVELOP, runs_in_root=True, whole=("-n", "2")),
    "check": Command("local.check", DEVELOP, runs_in_root=True),
}


class SetupError(Exception):
    """The environment cannot be set up; the message says why and what to do."""


class Environment:
    """
    The virtual environment of a checkout: ``.venv``, or what the variable ``VENV`` names.

    :param root: the checkout.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / os.environ.get("VENV", ".venv")
        self.python = self.path / "bin" / "python"
        self.log = self.path / "install.log"
        self._mark = self.path / "installed.json"

    def has(self, *requirements: str) -> bool:
        """Tell whether the packages of requirements files are installed as the files now list them."""
        installed = self._installed()
        return self.python.exists() and all(installed.get(name) == self._hash(name) for name in requirements)

    def install(self, *requirements: str) -> None:
        """
        Install the packages of requirements files, unless they are installed.

        Two at once take turns, and a set-up that was killed goes on where it stopped.
        """
        if self.has(*requirements):
            return
        with self._locked():
            if self.has(*requirements):
                return
            if not self._works():
                self._create()
            self._install_packages(requirements)
            self._remember(requirements)

    def _installed(self) -> dict[str, str]:
        try:
            installed: dict[str, str] = json.loads(self._mark.read_text())
        except (OSError, ValueError):
            return {}
        return installed

    def _hash(self, requirements: str) -> str:
        return hashlib.sha256((self.root / requirements).read_bytes()).hexdigest()

    def _remember(self, requirements: tuple[str, ...]) -> None:
        hashes = {name: self._hash(name) for name in requirements}
        written = self._mark.with_suffix(".new")
        written.write_text(json.dumps({**self._installed(), **hashes}))
        written.replace(self._mark)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        folder = os.open(self.root, os.O_RDONLY)
        try:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Waiting for another set-up of this folder to finish …")
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _works(self) -> bool:
        if not self.python.exists():
            return False
        return (
            subprocess.run([self.python, "-c", "import pip"], capture_output=True, check=False).returncode
            == 0
        )

    def _create(self) -> None:
        say(f"Creating {self.path.name} with Python {sys.version.split()[0]} …")
        venv = [sys.executable, "-m", "venv", "--clear"]
        if _run_quietly([*venv, str(self.path)]):
            return
        # Debian's python3 comes without ensurepip; its own pip, where there is one, can fill the environment.
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), "install", "--quiet", "pip"]
        if _run_quietly([*venv, "--without-pip", str(self.path)]) and _run_quietly(pip):
            return
        raise SetupError(
            f"{sys.executable} cannot make a virtual environment: install its venv module "
            "(on Debian and Ubuntu the package python3-venv), "
            "or name another Python with PYTHON=/path/to/python3."
        )

    def _install_packages(self, requirements: tuple[str, ...]) -> None:
        python = str(self.python)
        names = " and ".join(requirements)
        files = [f"--requirement={self.root / name}" for name in requirements]
        pip = [python, "-m", "pip", "install", *AS_PINNED]
        uv = [python, "-m", "uv", "pip", "install", "--python", python, "--compile-bytecode", *AS_PINNED]
        say(f"Installing the packages of {names} (only after they change) …")
        self.log.write_text("")
        if self._logged([*pip, f"--requirement={self.root / LOCAL}"]) and self._logged([*uv, *files]):
            return
        say("uv cannot be used here; installing with pip, which takes a minute or two …")
        if not self._logged([*pip, *files]):
            raise SetupError(
                f"The packages of {names} could not be installed; is the package index reachable, "
                f"and is there space on the disk? pip's words are in {self.log}"
            )

    def _logged(self, command: list[str]) -> bool:
        """Run a command with its output in the log, saying now and then that it still runs."""
        started = time.monotonic()
        with self.log.open("ab") as log:
            child = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
            try:
                while True:
                    try:
                        return child.wait(PROGRESS_SECONDS) == 0
                    except subprocess.TimeoutExpired:
                        say(f"  … {time.monotonic() - started:.0f} s")
            finally:
                child.kill()
                child.wait()


def _run_quietly(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def say(text: str) -> None:
    """Tell the user; on stderr, since a command's own output may be read by a program."""
    print(text, file=sys.stderr, flush=True)


def run(name: str, arguments: list[str]) -> None:
    """Replace this process by the command, in the virtual environment."""
    command = COMMANDS[name]
    environment = Environment(ROOT)
    if name == "stop" and not environment.python.exists():
        say("Nothing is running: nothing has been set up yet.")
        return
    environment.install(*command.requirements)
    if command.runs_in_root:
        os.chdir(ROOT)
    # -P: the caller's folder may hold an `include` of its own.
    python = str(environment.python)
    os.execve(
        python,
        [python, "-P", "-m", command.module, *command.before, *(arguments or command.whole)],
        {**os.environ, "PYTHONPATH": str(ROOT)},
    )


def main() -> int:
    """Run the command named by the arguments."""
    try:
        run(sys.argv[1], sys.argv[2:])
    except SetupError as error:
        say(str(error))
    except OSError as error:
        say(f"The set-up stopped: {error}. Is {ROOT} writable, and is there space on the disk?")
    except KeyboardInterrupt:
        return 130
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
