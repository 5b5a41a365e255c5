"""The sandbox as a process: starting, stopping, and being killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from sandbox.control import ControlError, SandboxControl

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@contextmanager
def running(directory: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], SandboxControl]]:
    port_file = directory / "port"
    port_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "sandbox", "--port-file", str(port_file), *options]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            deadline = time.monotonic() + 20
            while not port_file.exists():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.01)
            yield process, SandboxControl(f"http://127.0.0.1:{port_file.read_text()}")
        finally:
            process.kill()


def call(control: SandboxControl, company: Any, method: str, path: str, **options: Any) -> Any:
    response = requests.request(
        method,
        f"{control.base_url}/v3/company/{company['realm_id']}/{path}",
        headers={"Authorization": f"Bearer {company['access_token']}", "Accept": "application/json"},
        timeout=10,
        **options,
    )
    assert response.status_code == 200, response.text
    return response.json()


def test_it_says_where_it_is_and_ends_cleanly(tmp_path: Path) -> None:
    with running(tmp_path, "--data", str(tmp_path / "books.sqlite")) as (process, control):
        assert control.health()
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=10)
    assert output == f"The QuickBooks sandbox is at {control.base_url}\n"
    assert errors == ""
    assert process.returncode == 0


def test_books_in_a_file_are_not_put_back(tmp_path: Path) -> None:
    with running(tmp_path, "--data", str(tmp_path / "books.sqlite")) as (_process, control):
        realm_id = control.create_company("Ada", books="empty")["realm_id"]
        control.keep(realm_id)
        with pytest.raises(ControlError, match="writes to a file"):
            control.put_back(realm_id)


def test_a_taken_port_gets_one_sentence(tmp_path: Path) -> None:
    with running(tmp_path) as (_process, control):
        port = control.base_url.rpartition(":")[2]
        second = subprocess.run(
            [sys.executable, "-m", "sandbox", "--port", port],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert second.returncode == 1
    assert second.stderr == f"The sandbox cannot listen on 127.0.0.1:{port}: Address already in use.\n"


def test_a_file_in_use_gets_one_sentence(tmp_path: Path) -> None:
    data = str(tmp_path / "books.sqlite")
    with running(tmp_path, "--data", data):
        second = subprocess.run(
            [sys.executable, "-m", "sandbox", "--data", data],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert second.returncode == 1
    assert second.stderr == (
        f"The sandbox cannot use {data}: database is locked. Is another sandbox using it?\n"
    )


@pytest.fixture
def data(tmp_path: Path) -> str:
    return str(tmp_path / "books.sqlite")


def test_a_kill_loses_nothing(tmp_path: Path, data: str) -> None:
    with running(tmp_path, "--data", data) as (_process, control):
        company = control.create_company()
        control.change_settings(company["realm_id"], throttle="off", cdc_cap=77)
        control.advance_clock(500)
        control.events(company["realm_id"], 30)
        customer = call(control, company, "POST", "customer", json={"DisplayName": "Last words"})["Customer"]
        body = {"CustomerRef": {"value": customer["Id"]}, "TotalAmt": 12.5}
        paid = call(control, company, "POST", "payment", json=body, params={"requestid": "r-1"})
        before = control.truth(company["realm_id"], records=True)
    with running(tmp_path, "--data", data) as (_process, control):
        assert control.truth(company["realm_id"], records=True) == before
        assert call(control, company, "POST", "payment", json=body, params={"requestid": "r-1"}) == paid
        assert control.settings(company["realm_id"])["cdc_cap"] == 77
        assert control.clock()["offset_seconds"] == 500
        next_id = call(control, company, "POST", "payment", json=body)["Payment"]["Id"]
        assert int(next_id) == int(paid["Payment"]["Id"]) + 1
        control.events(company["realm_id"], 30, seed=2)
        after = control.truth(company["realm_id"])
        assert after["trial_balance"]["debits"] == after["trial_balance"]["credits"]


def _refresh(control: SandboxControl, token: str) -> Any:
    answer = requests.post(
        f"{control.base_url}/oauth2/v1/tokens/bearer",
        data={"grant_type": "refresh_token", "refresh_token": token},
        auth=("sandbox-client", "sandbox-secret"),
        timeout=10,
    )
    return answer.json() if answer.status_code == 200 else None


def test_used_and_new_refresh_tokens_are_told_apart_after_a_kill(tmp_path: Path, data: str) -> None:
    with running(tmp_path, "--data", data) as (_process, control):
        first = control.create_company("Ada", books="empty")["refresh_token"]
        control.change_settings(punish_reuse=False)
        second = _refresh(control, first)["refresh_token"]
    with running(tmp_path, "--data", data) as (_process, control):
        assert _refresh(control, first) is None
        assert _refresh(control, second)["refresh_token"]


def test_the_same_seed_makes_the_same_companies(tmp_path: Path) -> None:
    truths = []
    for _ in range(2):
        with running(tmp_path, "--seed", "3") as (_process, control):
            company = control.create_company()
            truth = control.truth(company["realm_id"])
            truths.append((company["realm_id"], truth))
    assert truths[0] == truths[1]


def ask_control(control: SandboxControl, method: str = "POST", **headers: str) -> int:
    said = {
        "Content-Type": "application/json",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    path = "reset" if method == "POST" else "health"
    return requests.request(
        method, f"{control.base_url}/control/{path}", headers=said, timeout=10
    ).status_code


def test_the_control_api_answers_no_page_of_another_site(tmp_path: Path) -> None:
    with running(tmp_path, "--name", "books") as (_, control):
        own = control.base_url.removeprefix("http://")
        port = own.partition(":")[2]
        for host in (own, f"localhost:{port}", f"[::1]:{port}", "books:8081", "127.0.0.1", "10.0.0.1"):
            assert ask_control(control, Host=host) == 200, host
        for host in (
            "attacker.example", f"attacker.example:{port}", "127.0.0.1.attacker.example", "localhost.attacker.example",
            "[", "user@attacker.example", "10.0.0.1.attacker.example",
        ):  # fmt: skip
            assert ask_control(control, Host=host) == 403, host
            assert ask_control(control, "GET", Host=host) == 403, host
        assert ask_control(control, Origin=control.base_url) == 200
        for origin in ("http://attacker.example", "null", f"http://localhost:{port}", "http://127.0.0.1"):
            assert ask_control(control, Origin=origin) == 403, origin
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
            assert ask_control(control, Content_Type=kind) == 415, kind


def test_the_api_itself_is_asked_by_any_name(tmp_path: Path) -> None:
    with running(tmp_path) as (_, control):
        url = f"{control.base_url}/.well-known/openid_sandbox_configuration"
        assert requests.get(url, headers={"Host": "sandbox:8081"}, timeout=10).status_code == 200
