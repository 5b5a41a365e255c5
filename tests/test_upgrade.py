from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from local.directory import ROOT

if TYPE_CHECKING:
    from pathlib import Path

# In Docker's place: it writes down what it is told, and has the containers that files are named after.
DOCKER = """#!/bin/sh
echo "$*" >>"$TOLD"
case "$*" in
    "compose ps --quiet "*) cat "$CONTAINERS/$4" 2>/dev/null || true ;;
    "${FAILS:-nothing}"*) exit 1 ;;
esac
"""


class Docker:
    def __init__(self, folder: Path) -> None:
        self.program = folder / "docker"
        self.program.write_text(DOCKER)
        self.program.chmod(0o755)
        self.told = folder / "told.txt"
        self.containers = folder / "containers"
        self.containers.mkdir()

    def run(self, service: str, *names: str) -> None:
        (self.containers / service).write_text("".join(f"{name}\n" for name in names))

    def upgrade(self, fails: str = "nothing") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", str(ROOT / "include/compose/upgrade.sh")],
            env={
                "PATH": os.pathsep.join([str(self.program.parent), os.defpath]),
                "TOLD": str(self.told),
                "CONTAINERS": str(self.containers),
                "FAILS": fails,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def deeds(self) -> list[str]:
        return [line for line in self.told.read_text().splitlines() if not line.startswith("compose ps")]


@pytest.fixture
def docker(tmp_path: Path) -> Docker:
    return Docker(tmp_path)


def test_the_new_stand_beside_the_old_before_these_stop(docker):
    docker.run("airflow-worker", "one", "two")
    docker.run("airflow-dag-processor", "three")

    ended = docker.upgrade()

    assert ended.returncode == 0, ended.stderr
    assert docker.deeds() == [
        "compose run --rm airflow-init",
        "compose up --detach --wait --no-deps --no-recreate --scale airflow-worker=4 airflow-worker",
        "stop one two",
        "rm one two",
        "compose up --detach --wait --no-deps airflow-dag-processor",
    ]


def test_a_host_of_workers_alone_is_upgraded_and_gets_nothing_else(docker):
    docker.run("airflow-worker", "one")

    ended = docker.upgrade()

    assert ended.returncode == 0, ended.stderr
    assert "airflow-apiserver does not run on this host." in ended.stdout
    assert docker.deeds() == [
        "compose run --rm airflow-init",
        "compose up --detach --wait --no-deps --no-recreate --scale airflow-worker=2 airflow-worker",
        "stop one",
        "rm one",
    ]


@pytest.mark.parametrize("fails", ["compose run", "compose up", "stop"])
def test_the_old_go_on_where_the_new_cannot(docker, fails):
    docker.run("airflow-worker", "one")
    docker.run("airflow-scheduler", "two")

    assert docker.upgrade(fails).returncode == 1
    assert docker.deeds()[-1].startswith(fails)
