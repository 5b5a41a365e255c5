from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from include.hooks.quickbooks import QuickBooksHook
from include.receivables.company.budget import TIERS
from local.ports import free_port
from tests.support.airflow_settings import quickbooks_connection

if TYPE_CHECKING:
    from airflow.providers_manager import ProvidersManager

    from sandbox.control import SandboxControl

SECRET_FIELDS = {"webhook_verifier_token"}


@pytest.fixture(scope="module")
def providers() -> ProvidersManager:
    """All that Airflow knows of its providers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Airflow says of its own providers
        from airflow.providers_manager import ProvidersManager

        manager = ProvidersManager()
        manager.initialize_providers_hooks()
        return manager


def fields_of(providers: ProvidersManager) -> dict[str, Any]:
    prefix = "extra__quickbooks__"
    return {
        name.removeprefix(prefix): widget
        for name, widget in providers.connection_form_widgets.items()
        if name.startswith(prefix)
    }


def test_airflow_finds_the_provider_without_anything_installed(providers: ProvidersManager):
    provider = providers.providers["quickbooks-provider"]

    assert provider.version == "1.0.0"
    assert provider.data["name"] == "QuickBooks"


def test_the_connection_type_has_our_hook():
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

    hook = ProvidersManagerTaskRuntime().hooks["quickbooks"]

    assert hook is not None
    assert (hook.hook_name, hook.connection_id_attribute_name) == ("QuickBooks", "quickbooks_conn_id")
    assert hook.hook_class_name == f"{QuickBooksHook.__module__}.{QuickBooksHook.__qualname__}"


def test_the_form_asks_for_what_the_hook_reads(providers: ProvidersManager):
    fields = fields_of(providers)

    assert set(fields) == {
        "environment",
        "redirect_uri",
        "webhook_verifier_token",
        "tier",
        "monthly_reads",
        "api_url",
        "discovery_url",
    }
    assert fields["environment"].field["schema"]["enum"] == ["production", "sandbox"]
    assert fields["tier"].field["schema"]["enum"] == [*TIERS, None]
    assert {name for name, widget in fields.items() if widget.is_sensitive} == SECRET_FIELDS
    assert all(widget.field["description"] for widget in fields.values())


def test_fields_that_mean_nothing_here_are_hidden_and_the_others_have_intuits_names(
    providers: ProvidersManager,
):
    form = providers.field_behaviours["quickbooks"]

    assert set(form["hidden_fields"]) == {"host", "port", "schema"}
    assert form["relabeling"] == {"login": "Client ID", "password": "Client secret"}


def test_a_connection_of_the_type_leads_to_the_hook(sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch):
    from airflow.sdk import Connection

    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS", quickbooks_connection(sandbox))

    hook = Connection.get("quickbooks").get_hook()

    assert isinstance(hook, QuickBooksHook)


def test_what_was_entered_as_another_type_works_as_before(
    sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS", quickbooks_connection(sandbox, conn_type="http"))

    assert QuickBooksHook().test_connection()[0] is True
    assert QuickBooksHook().api_url == sandbox.api_url


def test_the_test_says_that_intuit_knows_the_app_and_touches_no_company(
    sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch
):
    company = sandbox.create_company(books="empty")
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS", quickbooks_connection(sandbox))

    answer = QuickBooksHook().test_connection()

    assert answer == (True, "Intuit knows this app: client ID and secret are right (sandbox).")
    assert sandbox.calls(company["realm_id"])["by_path"] == {}


@pytest.mark.parametrize("wrong", [{"login": "nobody"}, {"password": "guessed"}])
def test_the_test_says_that_the_keys_are_wrong(
    sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str]
):
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS", quickbooks_connection(sandbox, **wrong))

    is_right, sentence = QuickBooksHook().test_connection()

    assert is_right is False
    assert sentence.startswith("QuickBooks rejects the app's client id or secret: copy both anew")
    assert "guessed" not in sentence


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        ({"environment": "staging"}, "The environment 'staging' is unknown: use one of production, sandbox."),
        ({"discovery_url": "http://127.0.0.1:{port}/"}, "QuickBooks gave no answer"),
        ({"discovery_url": "{sandbox}/control/health"}, "discovery_url does not answer with a discovery"),
    ],
)
def test_the_test_says_which_setting_is_wrong(
    sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch, extra: dict[str, str], sentence: str
):
    filled = {name: value.format(port=free_port(), sandbox=sandbox.base_url) for name, value in extra.items()}
    connection = json.loads(quickbooks_connection(sandbox))
    connection["extra"] |= filled
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS", json.dumps(connection))

    is_right, said = QuickBooksHook().test_connection()

    assert is_right is False
    assert said.startswith(sentence), said


@pytest.mark.parametrize("missing", ["login", "password"])
def test_the_test_says_what_is_missing(
    sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch, missing: str
):
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS", quickbooks_connection(sandbox, **{missing: ""}))

    assert QuickBooksHook().test_connection() == (
        False,
        "The app's client id or secret is missing: copy both from its keys page at Intuit.",
    )


@pytest.mark.parametrize("kind", ["500", "503_html", "429", "reset"])
def test_the_test_does_not_blame_the_keys_when_intuit_does_not_answer(
    sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch, kind: str
):
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS", quickbooks_connection(sandbox))
    sandbox.add_fault(kind, path="token")

    is_right, sentence = QuickBooksHook().test_connection()

    assert is_right is False
    assert "client id" not in sentence


def test_an_app_without_webhooks_has_an_empty_token(sandbox: SandboxControl, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW_CONN_QUICKBOOKS", quickbooks_connection(sandbox, extra={}))

    assert QuickBooksHook().webhook_verifier_token == ""
