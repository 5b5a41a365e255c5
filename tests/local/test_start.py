from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import psycopg
import pytest
import requests

from local.airflow_api import AirflowApi
from local.directory import ROOT
from local.embedded_postgres import EmbeddedPostgres
from local.environment import RECEIVABLES
from local.state import State
from tests.support.fixtures_local import run_command, switch_webhooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.fixtures_local import RunningStack

AIRFLOW = {"api-server", "scheduler", "dag-processor", "triggerer"}


def wait_until(is_true: Callable[[], bool], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def api(stack: RunningStack, user: str) -> AirflowApi:
    return AirflowApi(stack.api_url, user, stack.passwords[user])


def states(stack: RunningStack) -> dict[str, str]:
    health = api(stack, "admin").health()
    return {name: part["status"] for name, part in health.items()}


def sandbox_answers(stack: RunningStack) -> bool:
    try:
        health = requests.get(f"{stack.sandbox_url}/control/health", timeout=10)
    except requests.ConnectionError:
        return False
    return health.json()["status"] == "ok"


def all_answer(stack: RunningStack) -> bool:
    """Tell whether all work, not only run: the tests after one that kills rely on it."""
    return set(states(stack).values()) == {"healthy"} and sandbox_answers(stack)


class TestRunning:
    @pytest.fixture(autouse=True)
    def without_webhooks(self, running_stack) -> Iterator[None]:
        """Silence the sandbox after each test: one that was started anew tells Airflow of changes."""
        yield
        switch_webhooks(running_stack, is_on=False)

    def test_every_part_of_airflow_is_healthy(self, running_stack):
        # A heartbeat may be late on a busy machine.
        wait_until(lambda: set(states(running_stack).values()) == {"healthy"})
        assert State(running_stack.directory.state).components().keys() == {*AIRFLOW, "sandbox"}

    def test_the_demo_company_is_connected_and_its_records_are_merged(self, running_stack):
        shown = running_stack.command("receivables", "company", "show", "demo", "--json")
        company = json.loads(shown.stdout)
        assert company["status"] == "connected"
        assert company["records"]["invoice"]["live"] > 0
        assert company["records"]["payment"]["live"] > 0

    def test_the_first_sync_succeeded(self, running_stack):
        with psycopg.connect(running_stack.database_url) as connection:
            dags = connection.execute("select dag_id from sync.run where state = 'success'").fetchall()
        assert {"import_company", "quickbooks_to_peakflo"} <= {dag_id for (dag_id,) in dags}

    def test_the_sandbox_answers(self, running_stack):
        assert sandbox_answers(running_stack)

    @pytest.mark.parametrize(
        ("user", "may_trigger", "may_configure"), [("reminder", 200, 403), ("engineer", 200, 200)]
    )
    def test_users_may_do_what_their_role_allows(self, running_stack, user, may_trigger, may_configure):
        token = requests.post(
            f"{running_stack.api_url}/auth/token",
            json={"username": user, "password": running_stack.passwords[user]},
            timeout=10,
        ).json()["access_token"]

        def status(path: str) -> int:
            headers = {"Authorization": f"Bearer {token}"}
            return requests.get(
                f"{running_stack.api_url}/api/v2{path}", headers=headers, timeout=10
            ).status_code

        assert (status("/dags"), status("/connections")) == (may_trigger, may_configure)

    def test_a_wrong_password_is_refused(self, running_stack):
        wrong = {"username": "admin", "password": "wrong"}
        assert requests.post(f"{running_stack.api_url}/auth/token", json=wrong, timeout=10).status_code == 401

    def test_a_second_start_says_that_it_is_running(self, running_stack):
        for arguments in ([], ["--detach"]):
            second = running_stack.command("start", *arguments)
            assert second.returncode == 0
            assert "It is running already." in second.stdout
            assert running_stack.api_url in second.stdout

    def test_a_shell_that_sources_the_file_reaches_airflow_and_the_database(self, running_stack):
        check = "python -m airflow dags list-import-errors && python -m include.migrate"
        script = f". '{running_stack.directory.env}' && {check}"
        result = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        assert "No data found" in result.stdout
        assert "up to date" in result.stdout

    def test_nothing_secret_is_in_the_logs(self, running_stack):
        secrets = [
            *running_stack.passwords.values(),
            *json.loads(running_stack.directory.secrets.read_text()).values(),
            (running_stack.directory.postgres / "password").read_text(),
        ]
        for log in running_stack.directory.logs.rglob("*.log"):
            text = log.read_text(errors="replace")
            assert not any(secret in text for secret in secrets), log

    def test_others_cannot_read_anything(self, running_stack):
        assert running_stack.directory.path.stat().st_mode & 0o077 in {0, 0o011}

    @pytest.mark.parametrize("part", ["triggerer", "sandbox"])
    def test_a_part_that_is_killed_is_restarted_and_said_so(self, running_stack, part):
        state = State(running_stack.directory.state)
        killed = state.components()[part]
        for process in killed.session():
            process.send_signal(signal.SIGKILL)
        wait_until(lambda: state.components()[part] != killed)
        wait_until(lambda: all_answer(running_stack))
        assert f"{part} died" in running_stack.directory.log("start").read_text()

    def test_postgresql_that_is_killed_is_restarted(self, running_stack):
        postgres = EmbeddedPostgres(running_stack.directory.postgres)
        killed = postgres.postmaster()
        killed.send_signal(signal.SIGKILL)

        def is_back() -> bool:
            postmaster = postgres.postmaster()
            return postmaster is not None and postmaster.pid != killed.pid

        wait_until(is_back)
        wait_until(lambda: all_answer(running_stack))
        shown = running_stack.command("receivables", "company", "list", "--json")
        assert "demo" in [company["company_id"] for company in json.loads(shown.stdout)]

    def test_after_kill_9_of_the_launcher_a_start_picks_everything_up(self, running_stack):
        state = State(running_stack.directory.state)
        launcher = state.launcher()
        os.kill(launcher.pid, signal.SIGKILL)
        wait_until(lambda: not launcher.is_alive())
        left = state.components()
        assert all(member.is_alive() for member in left.values())
        url = running_stack.api_url
        started = running_stack.command("start", "--detach")
        assert started.returncode == 0, started.stdout + started.stderr
        assert not any(member.is_alive() for member in left.values())
        assert all_answer(running_stack)
        assert running_stack.api_url == url


class TestStopping:
    @pytest.mark.parametrize("wish", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_it_can_be_stopped_while_it_starts(self, tmp_path, wish):
        variables = {**os.environ, "RECEIVABLES_LOCAL_DIR": str(tmp_path)}
        start = subprocess.Popen(
            [ROOT / "bin/start"],
            env=variables,
            stdout=subprocess.PIPE,
            text=True,
            # Whoever runs the tests may be deaf to it, as under nohup, and what is started with it.
            preexec_fn=lambda: signal.signal(wish, signal.SIG_DFL),
        )
        state = State(tmp_path / "state.json")
        wait_until(lambda: "airflow-migrate" in state.components())
        started = state.components()
        start.send_signal(wish)
        said = start.communicate(timeout=60)[0]
        assert start.returncode == 130
        assert said.endswith("Stopped.\n")
        assert not any(member.is_alive() for member in started.values())
        assert EmbeddedPostgres(tmp_path / "postgres").postmaster() is None


class TestNotStarting:
    """Each leaves nothing behind, and says in one sentence what is wrong."""

    def test_a_taken_port_that_the_user_named(self, tmp_path):
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen()
            port = str(server.getsockname()[1])
            for arguments in ([], ["--detach"]):
                result = run_command("start", *arguments, directory=tmp_path, AIRFLOW_PORT=port)
                assert result.returncode == 1
                assert f"Port {port} (AIRFLOW_PORT) is in use" in result.stdout + result.stderr
        self.check_nothing_runs(tmp_path)

    def test_a_folder_that_cannot_be_made(self, tmp_path):
        (tmp_path / "file").touch()
        result = run_command("start", directory=tmp_path / "file" / "local")
        assert result.returncode == 1
        assert result.stderr.startswith("Error: ")
        assert result.stderr.count("\n") == 1

    def test_a_part_that_fails_during_the_start(self, tmp_path):
        nowhere = dict.fromkeys(RECEIVABLES, "postgresql://nobody@127.0.0.1:1/nothing")
        result = run_command("start", directory=tmp_path, **nowhere)
        assert result.returncode == 1
        assert "receivables-migrate failed" in result.stderr
        assert str(tmp_path / "logs" / "receivables-migrate.log") in result.stderr
        assert "Traceback" not in result.stderr
        self.check_nothing_runs(tmp_path)

    def test_stopping_what_was_never_started(self, tmp_path):
        result = run_command("stop", directory=tmp_path / "nothing")
        assert (result.returncode, result.stdout) == (0, "Nothing is running.\n")

    def test_a_command_while_nothing_runs(self, tmp_path):
        result = run_command("receivables", "company", "list", directory=tmp_path)
        assert result.returncode == 1
        assert result.stderr == (
            "Nothing is running: start it with bin/start, or name a database in AIRFLOW_CONN_RECEIVABLES_DB.\n"
        )

    def test_help_while_nothing_runs(self, tmp_path):
        assert run_command("receivables", "--help", directory=tmp_path).returncode == 0

    @staticmethod
    def check_nothing_runs(directory) -> None:
        assert run_command("stop", directory=directory).stdout == "Nothing is running.\n"
