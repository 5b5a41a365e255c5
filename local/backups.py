"""``bin/backup`` and ``bin/restore``: the databases of what bin/start runs, into a folder and back from it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from include import databases
from local.directory import ROOT, LocalDirectory
from local.embedded_postgres import EmbeddedPostgres
from local.errors import LocalError
from local.ports import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPTS = ROOT / "include/compose"


def main(arguments: list[str] | None = None) -> int:
    """Run one of the commands, which is the first argument."""
    options = _parser().parse_args(arguments)
    directory = LocalDirectory()
    try:
        if not directory.postgres.exists():
            raise LocalError("There are no databases yet: start them once with bin/start.")
        with directory.locked() as is_idle:
            if not is_idle and options.name == "restore":
                raise LocalError("It is running: stop it with bin/stop first.")
            with _server(EmbeddedPostgres(directory.postgres), starts=is_idle) as server:
                return run_script(options.name, options.folder, server)
    except (LocalError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


def run_script(name: str, folder: Path, server: EmbeddedPostgres) -> int:
    """
    Run a script of compose's against a server that runs here.

    :return: its exit code; it has said what went wrong.
    """
    urls = server.urls()
    passwords = {
        "POSTGRES_PASSWORD": server.url("postgres"),
        "OWNER_DB_PASSWORD": urls[databases.OWNER],
        "AIRFLOW_DB_PASSWORD": urls["AIRFLOW_CONN_AIRFLOW_DB"],
    }
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(server.programs.folder), os.environ.get("PATH", os.defpath)]),
        "POSTGRES_HOST": f"{HOST}:{server.port}",
        **{variable: urlsplit(url).password or "" for variable, url in passwords.items()},
    }
    script = ["sh", str(SCRIPTS / f"{name}.sh"), str(folder)]
    return subprocess.run(script, env=environment, stdin=subprocess.DEVNULL, check=False).returncode


@contextmanager
def _server(server: EmbeddedPostgres, *, starts: bool) -> Iterator[EmbeddedPostgres]:
    """Have the server run, which everything else may be doing without."""
    if not starts:
        yield server
        return
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bin")
    commands = parser.add_subparsers(dest="name", required=True)
    for name, explanation, folder in (
        (
            "backup",
            "Write the databases of what bin/start runs into a folder, while it runs or while it does not.",
            "a new folder",
        ),
        ("restore", "Put the databases of bin/start back to what a backup has.", "a backup"),
    ):
        command = commands.add_parser(name, prog=f"bin/{name}", description=explanation)
        command.add_argument("folder", type=Path, metavar="FOLDER", help=folder)
    return parser


if __name__ == "__main__":
    sys.exit(main())
