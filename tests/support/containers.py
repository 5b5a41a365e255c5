"""Containers without an engine: compose's services, each in namespaces of its own, on packages of this machine."""

from __future__ import annotations

import pwd
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from local.directory import ROOT
from local.postgres_binaries import find_programs

if TYPE_CHECKING:
    from collections.abc import Mapping

SUPPORT = Path(__file__).parent
NAMESPACES = ("--net", "--uts", "--mount", "--ipc", "--pid")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
AIRFLOW_HOME = "/opt/airflow"
# Where PostgreSQL's account reaches them, whoever may enter the folders of this machine above them.
PROGRAMS = "/opt/programs"
# Root of this machine may run everything in the place of the image's user.
POSTGRES_ACCOUNT = "postgres:x:999:999::/var/lib/postgresql:/bin/bash"


@dataclass(frozen=True)
class Image:
    """
    What a container starts from: a layer of files over those of this machine.

    :param mounts: folders of this machine and where they are in the container.
    """

    layer: Path
    entrypoint: list[str] = field(default_factory=list)
    environment: Mapping[str, str] = field(default_factory=dict)
    working_directory: str = "/"
    mounts: tuple[tuple[Path, str], ...] = ()


def build_image(reference: str, folder: Path) -> Image:
    """
    Make what stands for an image.

    :param reference: as compose names it.
    :param folder: where its files go.
    """
    name = reference.partition(":")[0]
    folder.mkdir()
    return {"postgres": _postgres, "redis": _redis}.get(name, _ours)(folder)


def _ours(layer: Path) -> Image:
    """Copy what the Dockerfile copies, and set what it sets; the packages are those of the virtual environment."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    for source, target in re.findall(r"^COPY (?:--\S+ )*(\S+) (\S+)$", dockerfile, re.MULTILINE):
        _copy(ROOT / source, layer / target.lstrip("/"))
    _copy(SUPPORT / "images/airflow.sh", layer / "entrypoint")
    settings = dict(re.findall(r"^ENV (\w+)=(.*)$", dockerfile, re.MULTILINE))
    packages = Path(sys.prefix)
    return Image(
        layer,
        ["/usr/bin/dumb-init", "--", "/entrypoint"],
        {"AIRFLOW_HOME": AIRFLOW_HOME, "PATH": f"{packages / 'bin'}:{SYSTEM_PATH}", **settings},
        AIRFLOW_HOME,
        # The checkout may be on a file system of its own, which a layer over the root has not.
        ((packages, str(packages)),),
    )


def _postgres(layer: Path) -> Image:
    _copy(SUPPORT / "images/postgres.sh", layer / "usr/local/bin/docker-entrypoint.sh")
    (layer / "etc").mkdir()
    accounts = (
        [f"{POSTGRES_ACCOUNT}\n"] if "postgres" not in {each.pw_name for each in pwd.getpwall()} else []
    )
    (layer / "etc/passwd").write_text(Path("/etc/passwd").read_text() + "".join(accounts))
    programs = find_programs()
    packages = programs.parents[2]  # its libraries are beside it there
    return Image(
        layer,
        ["docker-entrypoint.sh"],
        {"PATH": f"{PROGRAMS}/{programs.relative_to(packages)}:{SYSTEM_PATH}"},
        mounts=((packages, PROGRAMS),),
    )


def _redis(layer: Path) -> Image:
    (layer / "data").mkdir()
    return Image(layer, environment={"PATH": SYSTEM_PATH}, working_directory="/data")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy2(source, target)


class Container:
    """
    A program with its image, in namespaces of its own; all of it ends with the first of its processes.

    :param hostname: what the host calls itself.
    :param folder: for its own files and what it prints.
    :param volumes: further folders and files, and where they are in the container.
    """

    def __init__(
        self,
        hostname: str,
        image: Image,
        folder: Path,
        *,
        entrypoint: list[str],
        command: list[str],
        environment: Mapping[str, str],
        volumes: tuple[tuple[Path, str], ...],
    ) -> None:
        self.hostname = hostname
        self.log = folder / f"{hostname}.log"
        self.environment = {"HOSTNAME": hostname, **image.environment, **environment}
        (folder / hostname).mkdir(exist_ok=True)
        mounts = [f"{source}:{target}" for source, target in (*image.mounts, *volumes)]
        set_up = [str(SUPPORT / "container.sh"), str(folder / hostname), str(image.layer)]
        self._command = [*set_up, image.working_directory, *mounts, "--", *entrypoint, *command]
        self._process: subprocess.Popen[bytes] | None = None
        self._first: psutil.Process | None = None

    def create(self) -> int:
        """
        Make its namespaces; the program does not run yet.

        :return: a process in them. It ends with the thread that called this, at the latest.
        """
        bound = ["setpriv", "--pdeathsig=KILL", "unshare", *NAMESPACES, "--fork", "--kill-child"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*bound, *self._command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.environment,
                # Linux deals the machine out to sessions: like an engine's containers, none takes another's share.
                start_new_session=True,
            )
        assert self._process.stdout is not None
        assert self._process.stdout.readline()
        [self._first] = psutil.Process(self._process.pid).children()
        return self._process.pid

    def run(self) -> None:
        """Let the program run."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.close()
        self._process.stdout.close()

    @property
    def exit_code(self) -> int | None:
        """How it ended; nothing while it runs."""
        return None if self._process is None else self._process.poll()

    def execute(self, command: list[str], *, timeout: float) -> subprocess.CompletedProcess[str]:
        """Run a command beside the program."""
        assert self._first is not None
        inside = ["nsenter", f"--target={self._first.pid}", "--all", "--root", "--wd"]
        return subprocess.run(
            [*inside, *command],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def stop(self, seconds: float) -> None:
        """
        Ask the program to end, and end it if it has not.

        :param seconds: how long it may take to put down its work.
        """
        if self._process is None or self._first is None:
            return
        with suppress(psutil.NoSuchProcess):
            self._first.terminate()
            with suppress(psutil.TimeoutExpired):
                self._first.wait(seconds)
        self.kill()

    def kill(self) -> None:
        """End all of its processes at once, as when its machine loses power."""
        if self._process is None or self._first is None:
            return
        with suppress(psutil.NoSuchProcess):
            self._first.kill()
        self._process.wait()
