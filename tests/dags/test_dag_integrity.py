from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from include.dag_defaults import LONGEST_DELAY, REMINDER_POOL
from tests.support.airflow_settings import DAGS, ROOT

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import DAG

DAG_IDS = sorted(path.stem for path in DAGS.glob("*.py"))
SCHEDULED = {
    "quickbooks_to_peakflo",
    "peakflo_to_quickbooks",
    "refresh_reference_data",
    "reconcile_receivables",
    "send_alerts",
    "send_metrics",
    "maintain_database",
}
WOKEN = {"peakflo_to_quickbooks", "read_webhook_events"}
NOT_FOR_COMPANIES = {"maintain_database", "send_alerts", "ask_for_decision", "send_metrics"}
# Their runs end when somebody has answered.
WAITING_FOR_PEOPLE = {"ask_for_decision"}
# What a parse must not load: it is repeated for ever, and each of these costs tenths of a second.
HEAVY = ("pandas", "psycopg", "requests", "include.hooks", "include.quickbooks.client", "include.receivables")


@pytest.fixture(scope="module")
def dag_bag(airflow_database: None) -> DagBag:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(DAGS)


@pytest.fixture(params=DAG_IDS)
def dag(dag_bag: DagBag, request: pytest.FixtureRequest) -> DAG:
    return dag_bag.dags[request.param]


def mapped(dag: DAG) -> list:
    return [task for task in dag.tasks if task.is_mapped]


def test_every_file_parses_and_holds_the_dag_of_its_name(dag_bag: DagBag):
    assert dag_bag.import_errors == {}
    assert sorted(dag_bag.dags) == DAG_IDS
    assert DAG_IDS


def test_the_runbook_in_the_ui_is_the_docstring_of_the_file(dag: DAG):
    docstring = ast.get_docstring(ast.parse((DAGS / f"{dag.dag_id}.py").read_text()), clean=False)

    assert dag.doc_md == docstring
    assert dag.doc_md.startswith("\n### ")


def test_the_runbook_says_what_a_run_costs_and_what_to_do_when_it_fails(dag: DAG):
    assert "**Cost.**" in dag.doc_md
    assert "fails" in dag.doc_md


def test_every_dag_has_tags_to_find_it_by(dag: DAG):
    assert {"receivables", "quickbooks"} <= dag.tags


def test_every_task_has_an_owner(dag: DAG):
    assert {task.owner for task in dag.tasks} == {"receivables"}


def test_every_task_says_what_it_does(dag: DAG):
    undocumented = [
        task.task_id
        for task in dag.tasks
        if task.operator_name.startswith("@") and not (task.doc_md or task.python_callable.__doc__)
    ]

    assert undocumented == []


def test_every_task_is_retried_by_the_class_of_its_error(dag: DAG):
    for task in dag.tasks:
        # Somebody waits for the answer of a reminder run: it is given, if only as "unknown", and not tried again.
        assert task.retries >= 1 or task.pool == REMINDER_POOL, task.task_id
        assert task.retry_policy is not None, task.task_id


def test_no_task_and_no_run_may_go_on_for_ever(dag: DAG):
    assert (dag.dagrun_timeout is None) == (dag.dag_id in WAITING_FOR_PEOPLE)
    for task in dag.tasks:
        assert task.execution_timeout is not None, task.task_id
        assert dag.dagrun_timeout is None or task.execution_timeout < dag.dagrun_timeout, task.task_id


def longest(task) -> timedelta:
    """How long all tries of a task may take, with the longest waits between them."""
    asks_quickbooks = task.operator_name == "@company_task"
    delay = max(task.retry_delay, LONGEST_DELAY) if asks_quickbooks else task.retry_delay
    return task.execution_timeout * (task.retries + 1) + delay * task.retries


def longest_path(task) -> timedelta:
    before = [longest_path(upstream) for upstream in task.upstream_list]
    return longest(task) + max(before, default=timedelta(0))


def test_all_tries_of_all_tasks_one_after_another_fit_the_runs_timeout(dag: DAG):
    # A delay that a rule names is never longer than the longest one.
    for task in dag.tasks:
        assert all(
            rule.retry_delay is None or rule.retry_delay <= LONGEST_DELAY for rule in task.retry_policy.rules
        )
        assert dag.dagrun_timeout is None or longest_path(task) < dag.dagrun_timeout, task.task_id


def test_no_run_fills_up_the_past(dag: DAG):
    allowed = {run_type.value for run_type in dag.allowed_run_types}

    assert "backfill" not in allowed
    assert "manual" in allowed
    assert ("scheduled" in allowed) == (dag.dag_id in SCHEDULED)
    assert ("asset_triggered" in allowed) == (dag.dag_id in WOKEN)


def test_every_dag_and_every_task_has_a_name_for_people(dag: DAG):
    assert dag.dag_display_name != dag.dag_id
    assert dag.description
    for task in dag.tasks:
        assert task.task_display_name != task.task_id


def test_no_task_writes_what_it_returns_into_its_log(dag: DAG):
    shown = [task.task_id for task in dag.tasks if hasattr(task, "show_return_value_in_logs")]
    assert not [task_id for task_id in shown if dag.get_task(task_id).show_return_value_in_logs]


def test_every_task_that_works_for_companies_leads_to_their_pages(dag: DAG):
    working = [task for task in dag.tasks if task.operator_name == "@company_task"]

    assert working or dag.dag_id in NOT_FOR_COMPANIES
    for task in working:
        assert [link.name for link in task.operator_extra_links] == ["QuickBooks company"]


def test_missed_runs_are_not_made_up_for(dag: DAG):
    assert dag.catchup is False


def test_runs_of_a_schedule_do_not_pile_up(dag: DAG):
    if dag.schedule is not None:
        assert 1 <= dag.max_active_runs <= 16
    if dag.dag_id == "quickbooks_to_peakflo":
        assert dag.max_active_runs == 1


def test_every_param_is_explained_and_checked_by_a_schema(dag: DAG):
    assert dag.params or dag.dag_id in NOT_FOR_COMPANIES
    for name in dag.params:
        schema = dag.params.get_param(name).schema
        assert schema.get("type"), name
        assert schema.get("title"), name
        assert dag.params.get_param(name).description, name


def test_every_param_shows_examples_and_refuses_what_makes_no_sense(dag: DAG):
    for name in dag.params:
        schema = dag.params.get_param(name).schema
        if schema["type"] == "boolean":
            continue
        items = schema.get("items", schema)
        assert schema.get("examples") or items.get("examples"), name
        assert {"pattern", "enum", "format", "maximum"} & set(items), name


def test_mapped_tasks_are_labelled_with_their_companies(dag: DAG):
    for task in mapped(dag):
        assert "company_id" in task.map_index_template or "batch" in task.map_index_template


def test_a_dag_that_works_for_many_companies_maps_over_them(dag_bag: DagBag):
    assert {dag_id for dag_id, dag in dag_bag.dags.items() if mapped(dag)} >= {
        "quickbooks_to_peakflo",
        "refresh_reference_data",
    }


def test_every_pool_is_one_that_an_installation_creates(dag: DAG):
    pools = json.loads((ROOT / "include" / "airflow_pools.json").read_text())

    assert {task.pool for task in dag.tasks} <= {"default_pool", *pools}


def test_an_import_never_takes_the_slots_of_a_sync(dag_bag: DagBag):
    imports = {task.pool for task in dag_bag.dags["import_company"].tasks}
    others = {
        task.pool for dag_id, dag in dag_bag.dags.items() if dag_id != "import_company" for task in dag.tasks
    }

    assert not imports & others


def test_the_pools_are_in_the_form_that_airflow_imports():
    pools = json.loads((ROOT / "include" / "airflow_pools.json").read_text())

    for name, pool in pools.items():
        assert set(pool) == {"slots", "description", "include_deferred"}, name
        assert pool["slots"] > 0


def test_dag_files_do_not_import_one_another():
    for path in DAGS.glob("*.py"):
        modules = {
            node.module
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom) and node.module
        }
        assert not [module for module in modules if module.split(".")[0] == "dags"]


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_parsing_loads_nothing_heavy(dag_id: str):
    loaded = modules_after_parse(dag_id)

    assert "include.dag_defaults" in loaded
    assert not [module for module in loaded if module.startswith(HEAVY)]


def modules_after_parse(dag_id: str) -> list[str]:
    """Parse a DAG file in a fresh process, and return the modules that it and Airflow have loaded."""
    probe = (
        "import json, runpy, sys, time\n"
        "import airflow.sdk, airflow.providers.standard.operators.trigger_dagrun\n"
        "started = time.perf_counter()\n"
        "runpy.run_path(sys.argv[1])\n"
        "print(json.dumps([list(sys.modules), time.perf_counter() - started]))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", probe, DAGS / f"{dag_id}.py"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    modules, seconds = json.loads(run.stdout.splitlines()[-1])
    print(f"{dag_id} is parsed in {seconds:.3f} s")
    return modules
