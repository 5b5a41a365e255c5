from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from include.databases import ADMIN, USERS
from local.directory import ROOT
from tests.support.compose import (
    COMPOSE,
    EXAMPLE,
    PRODUCTION_CONNECTION,
    SANDBOX_CONNECTION,
    SERVICES,
    TEXT,
    MissingValueError,
    filled_in,
    services,
)

DOCKERFILE = (ROOT / "Dockerfile").read_text()
AIRFLOW_SERVICES = {
    "airflow-init",
    "airflow-apiserver",
    "airflow-execution-api",
    "airflow-scheduler",
    "airflow-dag-processor",
    "airflow-triggerer",
    "airflow-worker",
    "airflow-reminder-worker",
}
WORKERS = ["airflow-worker", "airflow-reminder-worker"]
# Run by somebody who asks for it.
ONCE = {"backup", "restore"}


def test_every_part_of_airflow_runs_in_our_image():
    assert {
        name for name, service in SERVICES.items() if service["image"].startswith("${RECEIVABLES_IMAGE")
    } == {
        *AIRFLOW_SERVICES,
        "sandbox",
    }
    assert SERVICES["postgres"]["image"].startswith("postgres:18@")
    assert SERVICES["redis"]["image"].startswith("redis:7.2")


def test_every_image_is_the_one_that_was_pinned():
    bases = re.findall(r"^FROM (\S+:\S+)", DOCKERFILE, re.MULTILINE)
    images = {service["image"] for service in SERVICES.values() if "build" not in service}
    assert len(bases) == 1
    assert len(images) == 2
    for image in (*bases, *images):
        assert re.fullmatch(r"[a-z]+:[\w.-]+@sha256:[0-9a-f]{64}", image)


def test_the_image_is_made_of_what_runs_in_production():
    assert "--require-hashes" in DOCKERFILE
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert ignored == ["*", "!dags", "!include", "!plugins", "!requirements.txt", "**/__pycache__"]
    assert set(re.findall(r"^COPY ([^-\s]\S*)", DOCKERFILE, re.MULTILINE)) == {
        *("requirements.txt", "include/compose/entrypoint.sh", "include", "plugins", "dags")
    }


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_container_may_do_more_than_it_needs(name):
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    # PostgreSQL's image starts as root, and becomes another user; a backup is written into a folder of somebody's.
    needed = {
        "postgres": {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"},
        "backup": {"DAC_OVERRIDE"},
        "restore": {"DAC_OVERRIDE"},
    }
    assert set(service.get("cap_add", ())) == needed.get(name, set())


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_container_takes_the_machine_along(name):
    service = services(filled_in())[name]
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service["pids_limit"] == 4096
    assert service["logging"] == {"driver": "json-file", "options": {"max-size": "20m", "max-file": "5"}}


def test_every_service_that_stays_has_a_health_check():
    without = {name for name, service in SERVICES.items() if "healthcheck" not in service}
    assert without == {"airflow-init", *ONCE}


def test_every_health_check_has_bounds():
    for service in SERVICES.values():
        if "healthcheck" in service:
            assert {"test", "interval", "timeout", "retries", "start_period"} <= service["healthcheck"].keys()


def test_the_health_check_of_the_api_warms_what_the_tasks_call():
    test = SERVICES["airflow-execution-api"]["healthcheck"]["test"]
    assert any(word.endswith("/execution/health/ping") for word in test)


@pytest.mark.parametrize("name", WORKERS)
def test_tasks_run_on_celery_workers_that_can_be_scaled(name):
    assert SERVICES[name]["environment"]["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert SERVICES[name]["command"].startswith("celery worker")
    assert not {"container_name", "ports", "hostname"} & SERVICES[name].keys()


def test_a_check_before_a_reminder_goes_before_a_sync_where_the_machine_has_too_little_for_both():
    """An engine gives 1024 where nothing is said."""
    shares = {name: service.get("cpu_shares", 1024) for name, service in SERVICES.items()}
    assert {name for name, share in shares.items() if share < 1024} == {
        "airflow-worker",
        "airflow-dag-processor",
    }
    assert {name for name, share in shares.items() if share > 1024} == {
        "airflow-reminder-worker",
        # What a check asks.
        "airflow-execution-api",
        "postgres",
    }


def test_somebody_listens_to_the_queue_of_the_checks_before_reminders():
    queue = SERVICES["airflow-scheduler"]["environment"]["AIRFLOW__QUICKBOOKS__REMINDER_QUEUE"]
    assert SERVICES["airflow-reminder-worker"]["command"] == f"celery worker --queues {queue}"


def test_tasks_call_an_api_that_serves_nothing_else():
    environment = services(filled_in())["airflow-worker"]["environment"]
    url = environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"]
    assert url == "http://airflow-execution-api:8080/execution/"
    commands = [SERVICES[name]["command"] for name in ("airflow-execution-api", "airflow-apiserver")]
    assert commands == ["api-server --apps execution", "api-server --apps core --proxy-headers"]


@pytest.mark.parametrize("name", sorted(AIRFLOW_SERVICES))
def test_every_part_of_airflow_has_the_same_secrets(name):
    expected = SERVICES["airflow-scheduler"]["environment"]
    assert expected.items() <= SERVICES[name]["environment"].items()
    for setting in ("AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__API__SECRET_KEY", "AIRFLOW__CORE__FERNET_KEY"):
        assert ":?" in expected[setting]


def test_users_are_kept_in_the_database():
    environment = SERVICES["airflow-apiserver"]["environment"]
    assert environment["AIRFLOW__CORE__AUTH_MANAGER"].endswith("FabAuthManager")


def test_the_reminder_service_has_a_role_of_its_own():
    script = (ROOT / "include/compose/prepare.sh").read_text()
    roles = json.loads((ROOT / "include/compose/roles.json").read_text())
    assert "create_user Reminder reminder " in script
    assert {(role["name"], role["resource"].partition(":")[2]) for role in roles} == {
        ("Reminder", "refresh_before_reminder")
    }


def test_data_outlives_the_containers():
    # The image of PostgreSQL 18 keeps its data one folder higher than the ones before.
    assert "postgres:/var/lib/postgresql" in SERVICES["postgres"]["volumes"]
    assert "redis:/data" in SERVICES["redis"]["volumes"]
    assert {"postgres", "redis", "logs", "books"} == COMPOSE["volumes"].keys()


def test_postgresql_sorts_as_the_embedded_one_does():
    arguments = SERVICES["postgres"]["environment"]["POSTGRES_INITDB_ARGS"]
    for argument in (
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--data-checksums",
    ):
        assert argument in arguments


def test_each_part_knows_the_database_users_that_it_needs_and_no_others():
    known = {
        name: {variable for variable in (*USERS, ADMIN) if variable in service["environment"]}
        for name, service in SERVICES.items()
        if name in AIRFLOW_SERVICES
    }
    tasks = {"AIRFLOW_CONN_AIRFLOW_DB", "AIRFLOW_CONN_RECEIVABLES_DB"}
    pages = {"AIRFLOW_CONN_RECEIVABLES_PAGES_DB", "AIRFLOW_CONN_RECEIVABLES_WEBHOOK_DB"}
    assert known.pop("airflow-init") == {*USERS, ADMIN}
    assert known.pop("airflow-apiserver") == tasks | pages
    assert known == dict.fromkeys(known, tasks)


def test_the_users_of_the_databases_are_those_that_are_made():
    environment = services(filled_in())["airflow-init"]["environment"]
    for variable, (user, _) in USERS.items():
        assert urlsplit(environment[variable]).username == user
        assert urlsplit(environment[variable]).password
    assert urlsplit(environment[ADMIN]).username == "postgres"
    assert "postgresql+psycopg2://airflow:" in environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]


def test_the_sandbox_is_off_unless_asked_for():
    assert SERVICES["sandbox"]["profiles"] == ["sandbox"]
    assert all("profiles" not in SERVICES[name] for name in SERVICES.keys() - {"sandbox", *ONCE})


def test_the_sandbox_tells_airflow_of_changes_signed_as_the_example_says():
    token = SERVICES["sandbox"]["environment"]["SANDBOX_WEBHOOK_VERIFIER_TOKEN"]
    assert json.loads(SANDBOX_CONNECTION)["extra"]["webhook_verifier_token"] == token
    assert "--webhook-url=http://airflow-apiserver:8080/quickbooks/webhook" in SERVICES["sandbox"]["command"]


@pytest.mark.parametrize(
    ("environment", "text"), [("production", PRODUCTION_CONNECTION), ("sandbox", SANDBOX_CONNECTION)]
)
def test_the_example_connections_are_of_the_type_that_the_image_knows(environment, text):
    connection = json.loads(text)
    assert connection["conn_type"] == "quickbooks"
    assert connection["extra"]["environment"] == environment
    assert connection["extra"]["redirect_uri"].endswith("/quickbooks/callback")
    assert connection["extra"]["webhook_verifier_token"]


def test_the_image_finds_the_connection_type():
    [paths] = re.findall(r"^ENV PYTHONPATH=(.*)$", DOCKERFILE, re.MULTILINE)
    folders = [path.replace("/opt/airflow", str(ROOT)) for path in paths.split(":")]
    assert "quickbooks-provider" in {found.name for found in importlib.metadata.distributions(path=folders)}


def test_nothing_starts_before_the_schemas_are_ready():
    for name in AIRFLOW_SERVICES - {"airflow-init"}:
        needs = SERVICES[name]["depends_on"]
        assert needs["airflow-init"]["condition"] == "service_completed_successfully"
        assert needs["postgres"]["condition"] == "service_healthy"


def test_only_airflow_is_published_and_only_on_this_machine_by_default():
    assert {name: service["ports"] for name, service in SERVICES.items() if "ports" in service} == {
        "airflow-apiserver": ["${AIRFLOW_BIND:-127.0.0.1}:${AIRFLOW_PORT:-8080}:8080"]
    }


def test_every_variable_is_documented_and_none_is_unknown():
    assert set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", TEXT)) == EXAMPLE.keys()


def test_every_required_variable_says_what_to_do():
    for name, message in re.findall(r"\$\{([A-Z_]+):\?([^}]*)\}", TEXT):
        assert message == f"Set {name} in .env, see .env.example"


def test_no_secret_has_a_default():
    required = set(re.findall(r"\$\{([A-Z_]+):\?", TEXT))
    with_default = set(re.findall(r"\$\{([A-Z_]+):-", TEXT))
    assert not required & with_default
    assert {name for name in EXAMPLE if re.search("PASSWORD|SECRET|KEY", name)} <= required
    # The connection to QuickBooks may be made in Airflow.
    assert {name for name, value in EXAMPLE.items() if not value} == {*required, "AIRFLOW_CONN_QUICKBOOKS"}


@pytest.mark.parametrize(
    "command",
    [
        *(SERVICES[name]["command"] for name in sorted(AIRFLOW_SERVICES - {"airflow-init"})),
        "db migrate",
        "users create",
    ],
)
def test_airflow_has_the_command(command, tmp_path):
    code = "import sys; from airflow.cli.cli_parser import get_parser; get_parser().parse_args(sys.argv[1:])"
    environment = SERVICES["airflow-apiserver"]["environment"]
    settings = {
        name: environment[name] for name in ("AIRFLOW__CORE__EXECUTOR", "AIRFLOW__CORE__AUTH_MANAGER")
    }
    result = subprocess.run(
        [sys.executable, "-c", code, *command.split(), "--help"],
        env={**os.environ, **settings, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert f"airflow {command.partition(' --')[0]}" in result.stdout


@pytest.mark.parametrize("module", ["include.compose.healthy", "include.migrate", "sandbox"])
def test_our_command_exists(module):
    result = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, check=False
    )
    assert result.returncode == 0


def test_the_preparing_script_exists_and_is_valid():
    script = SERVICES["airflow-init"]["command"][-1].replace("/opt/airflow", str(ROOT))
    assert subprocess.run(["sh", "-n", script], check=False).returncode == 0


@pytest.mark.parametrize(
    ("command", "ran"),
    [
        ("celery worker --queues reminders", "airflow celery worker --queues reminders"),
        ("scheduler", "airflow scheduler"),
        ("airflow jobs check", "airflow jobs check"),
        ("python -m sandbox", "python -m sandbox"),
        ("sh -c true", "sh -c true"),
    ],
)
def test_the_image_runs_a_shell_python_and_airflow(command, ran, tmp_path):
    for program in ("airflow", "python", "sh"):
        (tmp_path / program).write_text(f'#!/bin/sh\necho {program} "$@"\n')
        (tmp_path / program).chmod(0o755)
    result = subprocess.run(
        ["/bin/sh", ROOT / "include/compose/entrypoint.sh", *command.split()],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == f"{ran}\n"


def test_a_value_that_is_missing_is_named():
    values = filled_in(AIRFLOW_JWT_SECRET="")
    with pytest.raises(MissingValueError, match="Set AIRFLOW_JWT_SECRET"):
        services(values)


def compose_command() -> list[str]:
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            version = subprocess.run([*command, "version"], capture_output=True, check=False)
            if version.returncode == 0:
                return command
    assert not os.environ.get("CI"), "Docker Compose is not installed"
    pytest.skip("Docker Compose is not installed")


@pytest.mark.parametrize("missing", [None, "AIRFLOW_JWT_SECRET", "SYNC_DB_PASSWORD"])
def test_compose_accepts_the_file_once_every_value_is_filled_in(missing, tmp_path):
    values = {name: value for name, value in filled_in().items() if name != missing}
    file = tmp_path / "env"
    file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    result = subprocess.run(
        [*compose_command(), "--env-file", file, "config"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode == 0) is (missing is None), result.stderr
    if missing:
        assert f"Set {missing} in .env" in result.stderr
