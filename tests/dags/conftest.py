from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sqlite3
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from include.receivables.company.tokens import TokenCipher
from tests.support.airflow_settings import DAGS, FERNET_KEY, METADATA, define_connections

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from include.receivables.company.access import Access
    from sandbox.control import SandboxControl


@dataclasses.dataclass(frozen=True)
class TestRun:
    """
    What came of a run of a DAG.

    :param tasks: the state of each task, those of a mapped task with their labels.
    :param log: what Airflow and the tasks said.
    """

    __test__ = False

    run_id: str
    state: str
    tasks: dict[str, str]
    log: str


@pytest.fixture
def set_budget(access: Access, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set what the connection says of the month's reads."""

    def set_extra(**extra: Any) -> None:
        connection = json.loads(os.environ["AIRFLOW_CONN_QUICKBOOKS"])
        connection["extra"] |= extra
        monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS", json.dumps(connection))

    return set_extra


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """An empty metadata database for Airflow, and the API that its tasks call."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Airflow's own dependencies say about each other
        import airflow.api_fastapi.execution_api.app  # noqa: F401
        from airflow.utils.db import initdb

        initdb()


@pytest.fixture
def access(access: Access, sandbox: SandboxControl, db_url: str, monkeypatch: pytest.MonkeyPatch) -> Access:
    """Access to what Airflow's connections name, with Airflow's key."""
    define_connections(monkeypatch, sandbox, db_url)
    return dataclasses.replace(access, cipher=TokenCipher(FERNET_KEY))


@pytest.fixture
def run_dag(
    airflow_database: None,
    access: Access,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., TestRun]:
    """Run a DAG in this process, with its real tasks."""

    def run(dag_id: str, *, run_after: datetime | None = None, **conf: Any) -> TestRun:
        from airflow.dag_processing.dagbag import DagBag

        # Parsed anew: a run leaves its conf in the params of the DAG that it was started from.
        dag = DagBag(DAGS / f"{dag_id}.py").dags[dag_id]
        dag_run = dag.test(run_conf=conf, run_after=run_after, logical_date=None)
        tasks = {
            f"{task.task_id} {task.rendered_map_index or ''}".strip(): str(task.state)
            for task in dag_run.get_task_instances()
        }
        return TestRun(dag_run.run_id, str(dag_run.state), tasks, caplog.text + capsys.readouterr().out)

    return run


@pytest.fixture
def started_imports(airflow_database: None) -> Callable[[], list[str]]:
    """Which companies the test has started an import of, once for each."""

    def read() -> list[tuple[int, str]]:
        with contextlib.closing(sqlite3.connect(METADATA)) as metadata:
            return metadata.execute(
                "select id, conf ->> 'company_id' from dag_run where dag_id = 'import_company' order by id"
            ).fetchall()

    earlier = len(read())
    return lambda: [company_id for _, company_id in read()[earlier:]]
