"""Further files of compose, and an Astro project: that they fit what they stand beside."""

from __future__ import annotations

import re

import pytest
import yaml

from local.directory import ROOT
from tests.support import compose

HOME = "/usr/local/airflow"


@pytest.mark.parametrize("name", ["hosts", "proxy"])
def test_what_a_further_file_says_is_said_of_services_that_there_are(name: str):
    services = yaml.safe_load((ROOT / "examples" / name / "compose.yaml").read_text())["services"]
    assert services.keys() - {"proxy"} <= compose.SERVICES.keys()
    for service in services.values():
        assert set(service.get("depends_on", {})) <= compose.SERVICES.keys()


def test_what_tasks_call_is_published_where_somebody_says_and_nowhere_else():
    services = yaml.safe_load((ROOT / "examples/hosts/compose.yaml").read_text())["services"]
    [published] = services["airflow-execution-api"]["ports"]
    assert published.startswith("${PRIVATE_ADDRESS:?")
    assert published.endswith(":8080")


def test_a_worker_on_another_host_calls_the_address_that_it_is_told():
    url = "http://10.1.0.5:8081/execution/"
    worker = compose.services(compose.filled_in(EXECUTION_API_URL=url))["airflow-worker"]
    assert worker["environment"]["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == url


def test_an_astro_project_finds_our_folders_where_they_are():
    text = (ROOT / "examples/astro/Dockerfile").read_text()
    [version] = re.findall(
        r"^apache-airflow==(\d+\.\d+)\.", (ROOT / "requirements.txt").read_text(), re.MULTILINE
    )
    assert re.search(
        rf"^FROM astrocrpublic\.azurecr\.io/runtime:{re.escape(version)}-\d+$", text, re.MULTILINE
    )
    assert all((ROOT / folder).is_dir() for folder in ("dags", "include", "plugins"))

    [astro] = re.findall(r"^ENV PYTHONPATH=(.*)$", text, re.MULTILINE)
    [ours] = re.findall(r"^ENV PYTHONPATH=(.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert astro == ours.replace("/opt/airflow", HOME)
    assert all((ROOT / path.removeprefix(HOME).lstrip("/")).is_dir() for path in astro.split(":"))
