"""``bin/receivables``: a command of the sync, against what bin/start runs or the environment names."""

from __future__ import annotations

import os
import sys

from local.directory import LocalDirectory
from local.embedded_postgres import EmbeddedPostgres
from local.environment import read_env_file

DATABASE = "AIRFLOW_CONN_RECEIVABLES_DB"
HELP = {"-h", "--help"}


def main() -> int:
    """Replace this process by the command."""
    directory = LocalDirectory()
    is_running = EmbeddedPostgres(directory.postgres).postmaster() is not None
    if not is_running and not os.environ.get(DATABASE) and HELP.isdisjoint(sys.argv):
        print(
            f"Nothing is running: start it with bin/start, or name a database in {DATABASE}.", file=sys.stderr
        )
        return 1
    # What the caller's environment says goes before what bin/start wrote.
    variables = {**read_env_file(directory.env), **os.environ}
    os.execve(sys.executable, [sys.executable, "-P", "-m", "include.cli", *sys.argv[1:]], variables)


if __name__ == "__main__":
    sys.exit(main())
