from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess

import pytest

from include.databases import USERS
from local import environment
from local.directory import LocalDirectory
from local.errors import LocalError

AWKWARD = {
    "PLAIN": "a",
    "SPACE": "two words",
    "QUOTES": """a "b" 'c'""",
    "DOLLAR": "$HOME `id` \\",
    "JSON": '{"a": 1}',
}
ADDRESSES = environment.Addresses(
    airflow_port=1234,
    databases={
        name: f"postgresql://{user}:p@127.0.0.1:2/{'airflow' if user == 'airflow' else 'receivables'}"
        for name, (user, _) in USERS.items()
    },
    sandbox_port=4321,
)


@pytest.fixture
def directory(tmp_path, monkeypatch):
    for name in (*environment.CONNECTIONS, *environment.TUNING):
        monkeypatch.delenv(name, raising=False)
    directory = LocalDirectory(tmp_path / "local dir")
    directory.make()
    return directory


def test_a_shell_reads_the_file_as_it_was_written(tmp_path):
    file = tmp_path / "env"
    environment.write_env_file(file, AWKWARD)
    script = ". '{}'; for name in {}; do eval 'printf \"%s\\0\" \"$'$name'\"'; done".format(
        file, " ".join(AWKWARD)
    )
    printed = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, check=True).stdout
    assert printed.split("\0")[:-1] == list(AWKWARD.values())


def test_python_reads_the_file_as_it_was_written(tmp_path):
    environment.write_env_file(tmp_path / "env", AWKWARD)
    assert environment.read_env_file(tmp_path / "env") == AWKWARD


def test_no_file_means_no_variables(tmp_path):
    assert environment.read_env_file(tmp_path / "env") == {}


def test_only_the_owner_can_read_the_file(tmp_path):
    environment.write_env_file(tmp_path / "env", AWKWARD)
    assert (tmp_path / "env").stat().st_mode & 0o777 == 0o600


def test_airflow_stores_its_data_in_the_folder_and_listens_on_this_machine_only(directory):
    variables = environment.build(directory, ADDRESSES)
    assert variables["AIRFLOW_HOME"] == str(directory.airflow)
    assert variables["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert variables["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == (
        "postgresql+psycopg2://airflow:p@127.0.0.1:2/airflow"
    )
    assert variables["AIRFLOW_API_URL"] == "http://127.0.0.1:1234"


def test_quickbooks_is_the_sandbox(directory):
    connection = json.loads(environment.build(directory, ADDRESSES)["AIRFLOW_CONN_QUICKBOOKS"])
    assert connection["extra"]["api_url"] == "http://127.0.0.1:4321"
    assert connection["extra"]["environment"] == "sandbox"


def test_quickbooks_is_a_connection_of_its_own_type_which_airflow_finds(directory):
    variables = environment.build(directory, ADDRESSES)
    assert json.loads(variables["AIRFLOW_CONN_QUICKBOOKS"])["conn_type"] == "quickbooks"
    distributions = importlib.metadata.distributions(path=variables["PYTHONPATH"].split(os.pathsep))
    [provider] = [found for found in distributions if found.name == "quickbooks-provider"]
    [entry_point] = provider.entry_points
    assert entry_point.group == "apache_airflow_provider"


def test_the_sandbox_signs_its_webhooks_with_the_token_of_the_connection(directory):
    variables = environment.build(directory, ADDRESSES)
    token = json.loads(variables["AIRFLOW_CONN_QUICKBOOKS"])["extra"]["webhook_verifier_token"]
    assert variables["SANDBOX_WEBHOOK_VERIFIER_TOKEN"] == token
    assert len(token) >= 32


def test_every_installation_has_a_verifier_token_of_its_own(directory, tmp_path):
    other = LocalDirectory(tmp_path / "other")
    other.make()
    tokens = {
        environment.build(each, ADDRESSES)["SANDBOX_WEBHOOK_VERIFIER_TOKEN"]
        for each in (directory, directory, other)
    }
    assert len(tokens) == 2


@pytest.mark.parametrize(
    "names", [environment.RECEIVABLES, ["AIRFLOW_CONN_AIRFLOW_DB"], ["AIRFLOW_CONN_QUICKBOOKS"]]
)
def test_a_connection_of_the_caller_goes_before_ours(directory, monkeypatch, names):
    for name in names:
        monkeypatch.setenv(name, "postgresql://elsewhere/db")
    variables = environment.build(directory, ADDRESSES)
    assert {variables[name] for name in names} == {"postgresql://elsewhere/db"}


@pytest.mark.parametrize("name", environment.RECEIVABLES)
def test_a_receivables_database_is_named_for_all_of_its_users(directory, monkeypatch, name):
    monkeypatch.setenv(name, "postgresql://elsewhere/db")
    with pytest.raises(LocalError, match="not for each of its users") as caught:
        environment.build(directory, ADDRESSES)
    assert [other for other in environment.RECEIVABLES if other in str(caught.value)] == [
        other for other in environment.RECEIVABLES if other != name
    ]


def test_the_caller_can_tune_but_not_redirect_airflow(directory, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "3")
    monkeypatch.setenv("AIRFLOW_HOME", "/elsewhere")
    variables = environment.build(directory, ADDRESSES)
    assert variables["AIRFLOW__CORE__PARALLELISM"] == "3"
    assert variables["AIRFLOW_HOME"] == str(directory.airflow)


def test_connections_read_from_the_own_file_are_not_taken_for_given_ones(directory, monkeypatch):
    variables = environment.build(directory, ADDRESSES)
    environment.write_env_file(directory.env, variables)
    for name in environment.CONNECTIONS:
        monkeypatch.setenv(name, variables[name])
    environment.forget_own_connections(directory.env)
    assert not set(environment.CONNECTIONS) & set(os.environ)


def test_a_connection_that_was_given_stays_given_when_it_is_read_from_the_own_file(directory, monkeypatch):
    given = "postgresql://somebody:secret@elsewhere/receivables"
    for name in environment.RECEIVABLES:
        monkeypatch.setenv(name, given)
    environment.write_env_file(directory.env, environment.build(directory, ADDRESSES))
    environment.forget_own_connections(directory.env)
    assert os.environ["AIRFLOW_CONN_RECEIVABLES_DB"] == given
