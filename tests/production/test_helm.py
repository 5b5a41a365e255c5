"""The values for Airflow's Helm chart: they say what docker-compose.yaml says, and the chart makes the same of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from include.databases import ADMIN, USERS
from local.directory import ROOT
from tests.support import compose

FOLDER = ROOT / "examples/helm"
VALUES = yaml.safe_load((FOLDER / "values.yaml").read_text())
SECRET = "receivables"

# What is said otherwise than in docker-compose.yaml, and why.
PLACES = "PostgreSQL and Redis are on other hosts, and prove who they are"
METRICS = "off, as there; to be added where somebody collects them"
DIFFERENT = {
    "AIRFLOW__API__BASE_URL": "config.api.base_url, from which the chart tells the path that it serves",
    "AIRFLOW__CELERY__SSL_ACTIVE": PLACES,
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "the chart knows the name of its service",
    "AIRFLOW__CORE__EXECUTOR": "executor",
    "AIRFLOW__FAB__COOKIE_SECURE": "nobody comes but through an ingress with TLS",
    "AIRFLOW__METRICS__OTEL_ON": METRICS,
    "AIRFLOW__METRICS__STATSD_HOST": METRICS,
    "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": METRICS,
    "AIRFLOW__METRICS__STATSD_ON": METRICS,
    "AIRFLOW__METRICS__STATSD_PORT": METRICS,
    "AIRFLOW__QUICKBOOKS__ALLOWED_HOSTS": "there is no sandbox",
    "DUMB_INIT_SETSID": "the chart sets it",
    "FORWARDED_ALLOW_IPS": "an ingress comes from other addresses",
    "OTEL_EXPORTER_OTLP_ENDPOINT": METRICS,
    "OTEL_EXPORTER_OTLP_PROTOCOL": METRICS,
    "PGSSLMODE": PLACES,
}


def environment(service: str) -> dict[str, str]:
    given: dict[str, str] = compose.services(compose.filled_in())[service]["environment"]
    return given


def from_secret(entries: list[dict[str, Any]]) -> set[str]:
    """Return the names of the variables that come from the Secret, under their own names."""
    keys = {entry["name"]: entry["valueFrom"]["secretKeyRef"] for entry in entries}
    assert keys == {name: {"name": SECRET, "key": name} for name in keys}
    return set(keys)


def known_to_all() -> set[str]:
    known = {entry["envName"] for entry in VALUES["secret"]}
    assert [(entry["secretName"], entry["secretKey"]) for entry in VALUES["secret"]] == [
        (SECRET, entry["envName"]) for entry in VALUES["secret"]
    ]
    return known


def test_each_setting_is_the_one_of_compose_or_differs_for_a_reason():
    ours = {entry["name"]: entry["value"] for entry in VALUES["env"]}
    theirs = {
        name: value for name, value in environment("airflow-worker").items() if name not in known_to_all()
    }
    differing = {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)}
    assert differing == DIFFERENT.keys()


def test_each_part_knows_the_secrets_that_it_needs_and_no_others():
    known = known_to_all()
    shared = set(environment("airflow-worker"))
    assert known <= shared
    for service, entries in (
        ("airflow-apiserver", VALUES["apiServer"]["env"]),
        ("airflow-init", VALUES["migrateDatabaseJob"]["env"]),
    ):
        assert from_secret(entries) == environment(service).keys() - shared, service
    assert known | from_secret(VALUES["migrateDatabaseJob"]["env"]) >= {*USERS, ADMIN}


def test_no_value_is_a_secret():
    secrets = {
        name
        for name, value in compose.EXAMPLE.items()
        if not value and re.search("PASSWORD|SECRET|KEY", name)
    }
    values = compose.filled_in()
    text = yaml.safe_dump(VALUES)
    assert secrets
    assert not [name for name in secrets if values[name] in text]
    assert not re.search(r"://[^/\s]*:[^/\s]*@", text)


def test_the_airflow_is_the_one_that_is_pinned():
    [version] = re.findall(r"^apache-airflow==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert VALUES["airflowVersion"] == version


def rendered(*values: str) -> dict[str, dict[str, Any]]:
    """Return what the chart makes of some files of values, by kind and name."""
    if "AIRFLOW_CHART" not in os.environ:
        pytest.skip("AIRFLOW_CHART names no folder with Airflow's Helm chart")
    helm = shutil.which(os.environ.get("HELM", "helm"))
    assert helm, "HELM names no program"
    files = [word for name in values for word in ("--values", str(FOLDER / name))]
    command = [helm, "template", "sync", os.environ["AIRFLOW_CHART"], *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = [each for each in yaml.safe_load_all(done.stdout) if each]
    return {f"{each['kind']} {each['metadata']['name']}": each for each in found}


def container(manifest: dict[str, Any]) -> dict[str, Any]:
    [only] = manifest["spec"]["template"]["spec"]["containers"]
    return only  # type: ignore[no-any-return]


def variables(manifest: dict[str, Any]) -> set[str]:
    return {entry["name"] for entry in container(manifest)["env"]}


@pytest.fixture(scope="module")
def celery() -> dict[str, dict[str, Any]]:
    return rendered("values.yaml")


@pytest.fixture(scope="module")
def kubernetes() -> dict[str, dict[str, Any]]:
    return rendered("values.yaml", "kubernetes.yaml")


PARTS = {
    "Deployment sync-api-server": "airflow-apiserver",
    "Deployment sync-dag-processor": "airflow-dag-processor",
    "Deployment sync-scheduler": "airflow-scheduler",
    "Deployment sync-triggerer": "airflow-triggerer",
    "Deployment sync-worker": "airflow-worker",
    "Deployment sync-worker-reminders": "airflow-reminder-worker",
    "Job sync-run-airflow-migrations": "airflow-init",
}


def test_the_chart_makes_the_parts_of_compose(celery):
    running = {name for name in celery if name.startswith(("Deployment", "StatefulSet", "Job", "DaemonSet"))}
    assert running == PARTS.keys()


@pytest.mark.parametrize("part", PARTS)
def test_the_chart_gives_each_part_what_compose_gives_it(celery, part):
    in_configuration = {name for name in DIFFERENT if name not in {entry["name"] for entry in VALUES["env"]}}
    expected = environment(PARTS[part]).keys() - in_configuration
    assert expected <= variables(celery[part])
    unasked = (variables(celery[part]) & {*USERS, ADMIN}) - expected
    assert not unasked


def test_the_chart_starts_what_compose_starts(celery):
    commands = {name: " ".join(container(celery[name])["args"]) for name in PARTS}
    assert commands["Deployment sync-worker"].endswith("airflow celery worker")
    assert commands["Deployment sync-worker-reminders"].endswith("airflow celery worker -q reminders")
    assert commands["Job sync-run-airflow-migrations"] == "bash /opt/airflow/include/compose/prepare.sh"
    assert commands["Deployment sync-api-server"].endswith("airflow api-server --proxy-headers")
    for part in ("scheduler", "triggerer", "dag-processor"):
        assert commands[f"Deployment sync-{part}"].endswith(f"airflow {part}")


def test_tasks_call_the_service_of_the_chart(celery):
    configuration = celery["ConfigMap sync-config"]["data"]["airflow.cfg"]
    assert "execution_api_server_url = http://sync-api-server:8080/execution/" in configuration
    assert "base_url = https://airflow.example.com" in configuration
    assert "executor = CeleryExecutor" in configuration
    assert "Service sync-api-server" in celery


def test_the_chart_makes_no_secret_of_its_own(celery, kubernetes):
    assert not [name for name in {*celery, *kubernetes} if name.startswith("Secret")]


def test_no_container_may_more_than_it_has_to(celery, kubernetes):
    for manifests in (celery, kubernetes):
        for name in manifests.keys() & PARTS.keys():
            pod = manifests[name]["spec"]["template"]["spec"]
            assert pod["securityContext"]["runAsNonRoot"], name
            for each in (*pod["containers"], *pod.get("initContainers", ())):
                assert each["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
                assert each["securityContext"]["allowPrivilegeEscalation"] is False, name


def test_with_kubernetes_executor_a_pod_runs_each_task_in_our_image(kubernetes):
    assert not [name for name in kubernetes if "worker" in name and name.startswith("Deployment")]
    data = kubernetes["ConfigMap sync-config"]["data"]
    assert "executor = KubernetesExecutor" in data["airflow.cfg"]
    pod = yaml.safe_load(data["pod_template_file.yaml"])
    [base] = pod["spec"]["containers"]
    assert base["image"] == "registry.example.com/quickbooks-peakflo:1"
    names = {entry["name"] for entry in base["env"]}
    assert names >= known_to_all()
    assert names >= {entry["name"] for entry in VALUES["env"]}
