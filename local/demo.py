"""The demo company: connected to the sandbox at the first start, synced, and shown."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from local.errors import LocalError
from sandbox.control import ControlError, SandboxControl

if TYPE_CHECKING:
    from local.airflow_api import AirflowApi
    from local.stack import LocalStack

COMPANY_ID = "demo"
IMPORT = "import_company"
SYNC = "quickbooks_to_peakflo"
READ_SECONDS = 60
RUN_SECONDS = 180
PROGRESS_SECONDS = 5
# For whoever wants to connect a company through the pages.
SECOND_BOOKS = {"customers": 150, "invoices": 2000, "payments": 1200}
SECOND_NAME = "Harbour Lights Trading"
POLL_SECONDS = 0.2


def show_first_sync(stack: LocalStack) -> None:
    """
    Connect the demo company, unless it is connected, sync it, and print what Peakflo has of it.

    A failure is said and ends nothing: Airflow runs, and its pages show more.
    """
    try:
        company = _demo_company(stack)
        status = company["status"] if company else None
        if stack.sandbox_url and status in {None, "reauthorize"}:
            _connect(stack, stack.sandbox_url, company)
        elif status != "connected":
            stack.say(f"The demo company is {status}" if status else "No demo company is connected")
            return
        if not (company and company["fresh_until"]):
            _import(stack)
        _run(stack, SYNC, {}, "The first sync is done")
        print("\n" + _receivables(stack, "company", "show", COMPANY_ID), flush=True)
    except (LocalError, ControlError, OSError) as error:
        stack.say(f"The demo company is not ready: {error}")


def _demo_company(stack: LocalStack) -> dict[str, Any] | None:
    companies = json.loads(_receivables(stack, "company", "list", "--json"))
    return next((company for company in companies if company["company_id"] == COMPANY_ID), None)


def _connect(stack: LocalStack, sandbox_url: str, company: dict[str, Any] | None) -> None:
    """Connect the company whose books the sandbox has; create books where it has none, and others to choose."""
    sandbox = SandboxControl(sandbox_url)
    names = {books["realm_id"]: books["name"] for books in sandbox.companies()}
    realm_id = company["realm_id"] if company else next(iter(names), "")
    if realm_id in names:
        name, token = names[realm_id], sandbox.tokens(realm_id)["refresh_token"]
    else:
        created = sandbox.create_company(realm_id=realm_id)
        realm_id, name, token = created["realm_id"], created["name"], created["refresh_token"]
    identity = ("--company-id", COMPANY_ID, "--name", name, "--realm-id", realm_id)
    _receivables(stack, "company", "connect", *identity, "--refresh-token", "-", words=token)
    stack.say(f"{name} is connected as company {COMPANY_ID!r}")
    if SECOND_NAME not in names.values():
        sandbox.create_company(SECOND_NAME, books=SECOND_BOOKS)


def _import(stack: LocalStack) -> None:
    """Import the company, or wait for the import that the scheduler may have started before this one."""
    _run(stack, IMPORT, {"company_id": COMPANY_ID}, "The demo company is imported")
    deadline = time.monotonic() + RUN_SECONDS
    while (company := _demo_company(stack)) is not None and company["fresh_until"] is None:
        if time.monotonic() > deadline:
            raise LocalError(f"the import takes long; see {stack.api_url}/dags/{IMPORT}")


def _run(stack: LocalStack, dag_id: str, conf: dict[str, Any], done: str) -> None:
    """Start a run of a DAG and wait until it has succeeded."""
    api = stack.api()
    _wait_for_dag(api, dag_id)
    run_id = api.trigger(dag_id, conf)
    started = said = time.monotonic()
    while (state := api.run_state(dag_id, run_id)) != "success":
        now = time.monotonic()
        if state == "failed" or now - started > RUN_SECONDS:
            raise LocalError(f"{dag_id} is {state}; see {stack.api_url}/dags/{dag_id}/runs/{run_id}")
        if now - said > PROGRESS_SECONDS:
            stack.say(f"{dag_id} is {state} …")
            said = now
        time.sleep(POLL_SECONDS)
    stack.say(done)


def _wait_for_dag(api: AirflowApi, dag_id: str) -> None:
    deadline = time.monotonic() + READ_SECONDS
    while not api.has_dag(dag_id):
        if time.monotonic() > deadline:
            raise LocalError(f"Airflow has not read the DAG {dag_id}; its first page shows import errors.")
        time.sleep(POLL_SECONDS)


def _receivables(stack: LocalStack, *arguments: str, words: str | None = None) -> str:
    """Run a command of ``bin/receivables`` and return what it printed."""
    result = subprocess.run(
        [sys.executable, "-P", "-m", "include.cli", *arguments],
        input=words,
        capture_output=True,
        text=True,
        env=stack.command_environment(),
        check=False,
    )
    if result.returncode:
        raise LocalError(result.stderr.strip().rpartition("\n")[2] or f"exit code {result.returncode}")
    return result.stdout
