"""Containers without an engine: compose's services, each in namespaces of its own, on packages of this machine."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import signal
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
    from typing import Any

SUPPORT = Path(__file__).parent
CPU_GROUPS = Path("/sys/fs/cgroup/cpu")
USUAL_SHARE = 1024  # an engine's
NAMESPACES = ("--net", "--uts", "--mount", "--ipc", "--pid")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SETPRIV = "/usr/bin/setpriv"
# Where PostgreSQL's account reaches them, whoever may enter the folders of this machine above them.
PROGRAMS = "/opt/programs"
POSTGRES_ACCOUNT = "postgres:x:999:999::/var/lib/postgresql:/bin/bash"
AIRFLOW_ACCOUNT = "airflow:x:50000:0::/opt/airflow:/bin/sh"


@dataclass(frozen=True)
class Image:
    """
    What a container starts from: a layer of files over those of this machine.

    :param mounts: folders of this machine and where they are in the container.
    :param user: the ids of the user and the group that it runs as.
    """

    layer: Path
    entrypoint: list[str] = field(default_factory=list)
    environment: Mapping[str, str] = field(default_factory=dict)
    working_directory: str = "/"
    mounts: tuple[tuple[Path, str], ...] = ()
    user: str = "0:0"


@dataclass(frozen=True)
class Confinement:
    """
    What a service may not do, and as whom it runs.

    :param service: as compose describes it.
    """

    service: Mapping[str, Any]
    image: Image

    @property
    def owner(self) -> tuple[int, int]:
        """Return the ids of its user and group."""
        user, group = self.service.get("user", self.image.user).split(":")
        return int(user), int(group)

    @property
    def places(self) -> list[str]:
        """Return how its files are mounted, as container.sh takes it."""
        scratch = [f"tmpfs:{target}" for target in self.service.get("tmpfs", ())]
        return [*scratch, "read-only"] if self.service.get("read_only") else scratch

    @property
    def privileges(self) -> list[str]:
        """Return what a command begins with to run with no more than its privileges."""
        user, group = self.owner
        # Linux forgets with whom a process is to end when it becomes another user.
        words = [SETPRIV, "--pdeathsig=KILL", f"--reuid={user}", f"--regid={group}", "--clear-groups"]
        if "ALL" in self.service.get("cap_drop", ()):
            kept = "".join(f",+{name.lower()}" for name in self.service.get("cap_add", ()))
            words += [f"--bounding-set=-all{kept}", "--inh-caps=-all"]
        if "no-new-privileges:true" in self.service.get("security_opt", ()):
            words.append("--no-new-privs")
        return words


def build_image(reference: str, folder: Path) -> Image:
    """
    Make what stands for an image.

    :param reference: as compose names it.
    :param folder: where its files go.
    """
    name = reference.partition(":")[0]
    folder.mkdir()
    return {"postgres": _postgres, "redis": _redis, "caddy": _caddy}.get(name, _ours)(folder)


def _ours(layer: Path) -> Image:
    """Copy what the Dockerfile copies, and set what it sets; the packages are those of the virtual environment."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    for source, target in re.findall(r"^COPY ([^-\s]\S*) (/\S+)$", dockerfile, re.MULTILINE):
        _copy(ROOT / source, layer / target.lstrip("/"))
    said = dict(re.findall(r"^(USER|ENTRYPOINT|WORKDIR) (.*)$", dockerfile, re.MULTILINE))
    (layer / said["WORKDIR"].lstrip("/") / "airflow.cfg").touch()
    _add_account(layer, AIRFLOW_ACCOUNT)
    packages = Path(sys.prefix)
    return Image(
        layer,
        json.loads(said["ENTRYPOINT"]),
        dict(re.findall(r"^ENV (\w+)=(.*)$", dockerfile, re.MULTILINE)),
        said["WORKDIR"],
        # Its programs begin with the place where they were installed, and that is built on a Python elsewhere.
        ((packages, "/opt/packages"), *((Path(place), place) for place in (sys.prefix, sys.base_prefix))),
        said["USER"],
    )


def _postgres(layer: Path) -> Image:
    _copy(SUPPORT / "images/postgres.sh", layer / "usr/local/bin/docker-entrypoint.sh")
    _add_account(layer, POSTGRES_ACCOUNT)
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


def _caddy(layer: Path) -> Image:
    return Image(
        layer,
        ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"],
        {"PATH": SYSTEM_PATH, "XDG_CONFIG_HOME": "/config", "XDG_DATA_HOME": "/data"},
    )


def _add_account(layer: Path, account: str) -> None:
    """Add an account to those of this machine, unless it has one of the name."""
    is_known = account.partition(":")[0] in {each.pw_name for each in pwd.getpwall()}
    (layer / "etc").mkdir()
    (layer / "etc/passwd").write_text(Path("/etc/passwd").read_text() + ("" if is_known else f"{account}\n"))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy2(source, target)


class CpuShare:
    """
    What a container gets of a machine that has too little for all, by the kernel's control groups of version 1.

    Where there are none to be made, all get the same.

    :param share: as compose's ``cpu_shares``.
    """

    def __init__(self, hostname: str, share: int) -> None:
        self._group = CPU_GROUPS / f"receivables-{os.getpid()}-{hostname}"
        self._share = share

    def give(self, process_id: int) -> None:
        """Give it to a process and to all that it starts."""
        if os.access(CPU_GROUPS, os.W_OK):
            self._group.mkdir(exist_ok=True)
            (self._group / "cpu.shares").write_text(str(self._share))
            (self._group / "cgroup.procs").write_text(str(process_id))

    def take_back(self) -> None:
        """Forget it, once its processes are gone."""
        with suppress(OSError):
            self._group.rmdir()


class Container:
    """
    A program with its image, in namespaces of its own; all of it ends with the first of its processes.

    :param hostname: what the host calls itself.
    :param confinement: what it may not do.
    :param folder: for its own files and what it prints.
    :param volumes: further folders and files, and where they are in the container.
    """

    def __init__(
        self,
        hostname: str,
        confinement: Confinement,
        folder: Path,
        *,
        entrypoint: list[str],
        command: list[str],
        environment: Mapping[str, str],
        volumes: tuple[tuple[Path, str], ...],
    ) -> None:
        image = confinement.image
        self.hostname = hostname
        self._privileges = confinement.privileges
        self._share = CpuShare(hostname, confinement.service.get("cpu_shares", USUAL_SHARE))
        self.log = folder / f"{hostname}.log"
        self.environment = {"HOSTNAME": hostname, **image.environment, **environment}
        (folder / hostname).mkdir(exist_ok=True)
        mounts = [f"{source}:{target}" for source, target in (*image.mounts, *volumes)]
        set_up = [str(SUPPORT / "container.sh"), str(folder / hostname), str(image.layer)]
        places = [image.working_directory, *confinement.places, *mounts]
        self._command = [*set_up, *places, "--", *self._privileges, *entrypoint, *command]
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
                # Without groups Linux deals the machine out to sessions: none takes another's share.
                start_new_session=True,
            )
        assert self._process.stdout is not None
        assert self._process.stdout.readline()
        [self._first] = psutil.Process(self._process.pid).children()
        self._share.give(self._first.pid)
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
            [*inside, *self._privileges, *command],
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

    def freeze(self) -> None:
        """Stop all of its processes where they are, as when their machine stands still."""
        self._tell_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self._tell_all(signal.SIGCONT)

    def _tell_all(self, number: signal.Signals) -> None:
        assert self._first is not None
        for process in (self._first, *self._first.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):  # one that has ended meanwhile
                process.send_signal(number)

    def kill(self) -> None:
        """End all of its processes at once, as when its machine loses power."""
        if self._process is None or self._first is None:
            return
        with suppress(psutil.NoSuchProcess):
            self._first.kill()
        self._process.wait()
        self._share.take_back()
