"""``bin/start``: start everything on this machine, and stay until Ctrl-C."""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NoReturn

import psycopg
import requests

from local.demo import show_first_sync
from local.directory import LocalDirectory
from local.environment import forget_own_connections, read_env_file
from local.errors import LocalError
from local.files import private_directory
from local.stack import LocalStack
from local.state import Member, State, end

if TYPE_CHECKING:
    from types import FrameType

STARTED = time.monotonic()
WATCH_SECONDS = 1
FOLLOW_SECONDS = 0.2
FULL_MEGABYTES = 100
STOP_SECONDS = 90


class Stopped(Exception):  # noqa: N818 -- somebody's wish, not an error
    """Somebody asked the launcher to stop."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    options = _parser().parse_args(arguments)
    directory = LocalDirectory()
    try:
        private_directory(directory.path)
        forget_own_connections(directory.env)
        if options.detach:
            return _start_detached(directory)
        return _start(directory, stays_quiet=options.background)
    except LocalError as error:
        print(f"Error: {error}{_disk_hint(directory)}", file=sys.stderr)
    except (psycopg.Error, requests.RequestException) as error:
        print(
            f"Error: {str(error).strip()} (logs are in {directory.logs}){_disk_hint(directory)}",
            file=sys.stderr,
        )
    except OSError as error:
        print(f"Error: {error}. Is {directory.path} writable?{_disk_hint(directory)}", file=sys.stderr)
    except Stopped:
        print("Stopped.", flush=True)
        return 130
    return 1


def _disk_hint(directory: LocalDirectory) -> str:
    """Return a sentence about the disk where it is full: few programs name that as their reason."""
    if not directory.path.exists():
        return ""
    free = shutil.disk_usage(directory.path).free // 2**20
    return f" The disk of {directory.path} has only {free} MB left." if free < FULL_MEGABYTES else ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bin/start",
        description="Start PostgreSQL, a local QuickBooks and Airflow, and connect a demo company.",
        epilog="AIRFLOW_PORT, POSTGRES_PORT and SANDBOX_PORT choose the ports; AIRFLOW_CONN_QUICKBOOKS and "
        "AIRFLOW_CONN_RECEIVABLES_DB replace the local QuickBooks and the local database; "
        "RECEIVABLES_LOCAL_DIR keeps the data elsewhere than in .local.",
    )
    parser.add_argument("--detach", action="store_true", help="return once everything is healthy")
    parser.add_argument("--background", action="store_true", help=argparse.SUPPRESS)
    return parser


def _say(text: str) -> None:
    print(f"[{time.monotonic() - STARTED:5.1f} s] {text}", flush=True)


def _start(directory: LocalDirectory, *, stays_quiet: bool) -> int:
    with directory.locked() as is_only:
        if not is_only:
            return _say_running(directory)
        _listen_for_stop()
        stack = LocalStack(directory, _say)
        try:
            stack.start()
            show_first_sync(stack)
            stack.mark_ready()
            print(_addresses(directory), flush=True)
            if not stays_quiet:
                print("Ctrl-C stops everything.", flush=True)
            while True:
                stack.keep_alive()
                time.sleep(WATCH_SECONDS)
        except Stopped:
            _say("Stopping …")
            raise
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)  # what is being stopped is stopped to the end
            stack.stop()


def _listen_for_stop() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _raise_stopped)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # which nohup sets
        signal.signal(signal.SIGHUP, _raise_stopped)


def _raise_stopped(number: int, frame: FrameType | None) -> NoReturn:
    raise Stopped


def _say_running(directory: LocalDirectory) -> int:
    if State(directory.state).is_ready():
        print("It is running already.\n" + _addresses(directory))
    else:
        print(f"Another command is starting or stopping it; see {directory.logs}.")
    return 0


def _addresses(directory: LocalDirectory) -> str:
    url = read_env_file(directory.env)["AIRFLOW_API_URL"]
    return (
        f"\n  Airflow     {url}  (users admin, engineer and reminder; passwords in {directory.passwords})"
        f"\n  Logs        {directory.logs}"
        f"\n  For a shell . '{directory.env}'\n"
    )


def _start_detached(directory: LocalDirectory) -> int:
    """Start a launcher in the background and follow its words until everything is healthy."""
    with directory.locked() as is_only:
        if not is_only:
            return _say_running(directory)
    private_directory(directory.logs)
    log = directory.log("start")
    with log.open("wb") as output:
        launcher = subprocess.Popen(
            [sys.executable, "-P", "-m", "local.start", "--background"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    state = State(directory.state)
    try:
        with log.open() as words:
            while launcher.poll() is None:
                print(words.read(), end="", flush=True)
                if state.launcher() == Member.of(launcher.pid) and state.is_ready():
                    break
                time.sleep(FOLLOW_SECONDS)
            print(words.read(), end="", flush=True)
    except KeyboardInterrupt:
        end([Member.of(launcher.pid)], STOP_SECONDS)
        return 130
    return launcher.returncode or 0


if __name__ == "__main__":
    sys.exit(main())
