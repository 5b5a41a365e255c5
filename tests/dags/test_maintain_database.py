from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from include.hooks import task_logs
from tests.support.quick_start import connect_as_imported

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.dags.conftest import TestRun
    from tests.support.workbench import Workbench

    RunDag = Callable[..., TestRun]

DAG_ID = "maintain_database"
DAY = 86_400


def file_of_age(path: Path, days: float) -> Path:
    """Write a file that was last changed days ago, as were its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("A line.\n")
    for place in (path, *path.parents[:2]):
        os.utime(place, (time.time() - days * DAY,) * 2)
    return path


@pytest.fixture
def old_events(access: object, bench: Workbench) -> Callable[[], int]:
    company = connect_as_imported(bench, "acme")
    bench.db.execute(
        "insert into sync.webhook_event (event_id, realm_id, entity, qbo_id, operation, received_at)"
        " values ('old', %s, 'payment', '1', 'create', now() - interval '31 days')",
        [company.realm_id],
    )
    return lambda: bench.db.execute("select count(*) from sync.webhook_event").fetchone()[0]


def test_a_night_forgets_what_is_over_and_says_how_much(
    run_dag: RunDag, bench: Workbench, old_events: Callable[[], int]
):
    log = file_of_age(task_logs.log_folder() / "dag_id=a" / "run_id=b" / "attempt=1.log", 61)

    run = run_dag(DAG_ID)

    assert run.state == "success"
    assert run.tasks == {"prune_receivables": "success", "clean_airflow": "skipped", "delete_logs": "success"}
    assert old_events() == 0
    assert not log.exists()


def test_the_variable_says_how_long_something_is_kept(
    run_dag: RunDag, old_events: Callable[[], int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AIRFLOW_VAR_RETENTION_DAYS", '{"webhook_events": 40, "task_logs": 90}')
    log = file_of_age(task_logs.log_folder() / "dag_id=a" / "run_id=c" / "attempt=1.log", 61)

    run_dag(DAG_ID)

    assert old_events() == 1
    assert log.exists()


def test_a_variable_that_is_wrong_stops_everything_with_a_sentence(
    run_dag: RunDag, old_events: Callable[[], int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AIRFLOW_VAR_RETENTION_DAYS", '{"webhooks": 40}')

    run = run_dag(DAG_ID)

    assert set(run.tasks.values()) == {"failed"}
    assert "The retention names what is not kept (webhooks): use airflow, audit," in run.log
    assert old_events() == 1


def test_old_logs_and_the_folders_they_leave_empty_go(tmp_path: Path):
    old = file_of_age(tmp_path / "dag_id=a" / "run_id=old" / "attempt=1.log", 61)
    rotated = file_of_age(tmp_path / "dag_id=a" / "run_id=old" / "attempt=1.log.1", 61)
    young = file_of_age(tmp_path / "dag_id=b" / "run_id=mixed" / "attempt=2.log", 1)
    beside = file_of_age(tmp_path / "dag_id=b" / "run_id=mixed" / "attempt=1.log", 61)
    other = file_of_age(tmp_path / "dag_id=c" / "run_id=other" / "notes.txt", 500)
    (tmp_path / "dag_id=d").mkdir()

    assert task_logs.delete_old(tmp_path, time.time() - 60 * DAY) == 3

    assert not any(path.exists() for path in (old, rotated, beside, old.parent, old.parent.parent))
    assert young.exists()
    assert other.exists()
    assert (tmp_path / "dag_id=d").exists(), "a new folder may wait for its first file"
