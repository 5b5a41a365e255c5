from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from local.airflow_api import AirflowApi
from local.heartbeats import REPORTED, Heartbeats

if TYPE_CHECKING:
    from collections.abc import Iterator

WELL = {name: {"status": "healthy"} for name in ("metadatabase", *REPORTED.values())}


class Airflow(ThreadingHTTPServer):
    """Says of its parts what a test wishes, in the shape of Airflow's health report."""

    health: dict[str, Any] = WELL
    code = 200


class Report(BaseHTTPRequestHandler):
    server: Airflow

    def do_GET(self) -> None:
        assert self.path == "/api/v2/monitor/health"
        body = json.dumps(self.server.health).encode()
        self.send_response(self.server.code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def answering() -> Iterator[Airflow]:
    with Airflow(("127.0.0.1", 0), Report) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def airflow() -> Iterator[Airflow]:
    with answering() as server:
        yield server


def heartbeats(airflow: Airflow, *, patience: float) -> Heartbeats:
    api = AirflowApi(f"http://127.0.0.1:{airflow.server_port}", "admin", "secret")
    return Heartbeats(api, patience=patience, ask_every=0)


@pytest.mark.parametrize("part", sorted(REPORTED))
def test_a_part_that_does_not_report_for_long_hangs_and_is_told_once(airflow: Airflow, part: str):
    watch = heartbeats(airflow, patience=0)
    assert watch.hanging() == []
    airflow.health = WELL | {REPORTED[part]: {"status": "unhealthy"}}
    assert watch.hanging() == [part]
    airflow.health = WELL
    assert watch.hanging() == []


def test_one_that_reports_again_in_time_does_not_hang(airflow: Airflow):
    watch = heartbeats(airflow, patience=3600)
    airflow.health = WELL | {"scheduler": {"status": "unhealthy"}}
    assert watch.hanging() == []
    assert watch.hanging() == []


@pytest.mark.parametrize("code", [500, 503])
def test_nothing_is_known_while_the_api_server_does_not_answer(airflow: Airflow, code: int):
    watch = heartbeats(airflow, patience=0)
    airflow.health, airflow.code = WELL | {"scheduler": {"status": "unhealthy"}}, code
    assert watch.hanging() == []
