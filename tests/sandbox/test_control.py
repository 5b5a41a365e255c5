from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox.control import ControlError, SandboxControl

if TYPE_CHECKING:
    from collections.abc import Callable


def test_health(sandbox: SandboxControl) -> None:
    assert sandbox.health()
    assert not SandboxControl("http://127.0.0.1:9").health()


def test_a_company_is_created_listed_and_connected_again(sandbox: SandboxControl) -> None:
    created = sandbox.create_company(
        "Ada", books="empty", home_currency="SGD", country="SG", multicurrency=False
    )
    assert {
        "realm_id": created["realm_id"],
        "name": "Ada",
        "home_currency": "SGD",
        "multicurrency": False,
    } in sandbox.companies()
    assert sandbox.tokens(created["realm_id"])["refresh_token"] != created["refresh_token"]
    with pytest.raises(ControlError, match="choose another realm_id"):
        sandbox.create_company("Ada", realm_id=created["realm_id"])


@pytest.mark.parametrize(
    "call",
    [
        lambda control: control.tokens("1"),
        lambda control: control.events("1", 1),
        lambda control: control.truth("1"),
        lambda control: control.calls("1"),
        lambda control: control.expire("1"),
        lambda control: control.revoke("1"),
    ],
)
def test_an_unknown_company_is_said_to_be_unknown(
    sandbox: SandboxControl, call: Callable[[Any], Any]
) -> None:
    with pytest.raises(ControlError, match="There is no company 1; create one") as refused:
        call(sandbox)
    assert refused.value.status == 404


@pytest.mark.parametrize(
    "call",
    [
        lambda control: control.change_settings(throttel="off"),
        lambda control: control.change_settings(throttle="maybe"),
        lambda control: control.change_settings(profile="quickbooks"),
        lambda control: control.add_fault("explosion"),
        lambda control: control.events(
            control.create_company("Ada", books="empty")["realm_id"], 1, earthquake=1
        ),
        lambda control: control.add_fault("500", chance=1),
        lambda control: control.create_company(books="some"),
        lambda control: control.create_company(books={"invoices": 1}),
    ],
)
def test_a_misspelt_call_is_refused(sandbox: SandboxControl, call: Callable[[Any], Any]) -> None:
    with pytest.raises(ControlError) as refused:
        call(sandbox)
    assert refused.value.status == 400


def test_settings_are_general_or_of_one_company(sandbox: SandboxControl) -> None:
    realm_id = sandbox.create_company("Ada", books="empty")["realm_id"]
    sandbox.change_settings(latency_ms=1)
    assert sandbox.change_settings(realm_id, throttle="off")["latency_ms"] == 1
    assert sandbox.settings()["throttle"] == "on"
    assert sandbox.settings(realm_id)["throttle"] == "off"
    sandbox.reset()
    assert sandbox.settings(realm_id)["throttle"] == "on"


def test_the_clock_moves_and_is_set_right_by_a_reset(sandbox: SandboxControl) -> None:
    before = sandbox.clock()["now"]
    sandbox.set_clock(1000)
    assert sandbox.advance_clock(50)["offset_seconds"] == 1050
    assert sandbox.clock()["now"] == pytest.approx(before + 1050, abs=5)
    sandbox.reset()
    assert sandbox.clock()["offset_seconds"] == 0


def test_events_change_the_books_and_the_truth_tells(sandbox: SandboxControl) -> None:
    realm_id = sandbox.create_company()["realm_id"]
    before = sandbox.truth(realm_id)
    assert sum(sandbox.events(realm_id, 25, seed=3).values()) == 25
    after = sandbox.truth(realm_id, records=True)
    assert after["trial_balance"]["debits"] == after["trial_balance"]["credits"]
    assert before["trial_balance"] != after["trial_balance"]
    for entity, facts in after["entities"].items():
        assert facts["live"] == len(after["records"][entity])
        assert facts["deleted"] == len(after["deleted"][entity])
    assert isinstance(after["entities"]["Invoice"]["total_by_currency"]["USD"], str)


def test_a_revoked_connection_needs_a_new_consent(api: Any) -> None:
    api.control.revoke(api.realm_id)
    assert api.call("GET", "preferences").status_code == 401
    api.session.headers["Authorization"] = f"Bearer {api.control.tokens(api.realm_id)['access_token']}"
    assert api.call("GET", "preferences").status_code == 200


def test_hooks_are_listed_and_dropped(sandbox: SandboxControl) -> None:
    realm_id = sandbox.create_company("Ada", books="empty")["realm_id"]
    hook = sandbox.add_hook(realm_id, "cdc", count=1)
    assert [waiting["id"] for waiting in sandbox.hooks()] == [hook]
    sandbox.clear_hooks()
    assert sandbox.hooks() == []


def test_a_company_is_put_back_as_it_was_kept_as_often_as_wanted(api: Any) -> None:
    api.control.keep(api.realm_id)
    before = api.control.truth(api.realm_id, records=True)
    for seed in (1, 2):
        api.control.events(api.realm_id, 20, seed=seed)
        api.control.revoke(api.realm_id)
        assert api.control.truth(api.realm_id, records=True) != before

        api.control.put_back(api.realm_id)

        assert api.control.truth(api.realm_id, records=True) == before
        assert api.call("GET", "preferences").status_code == 200


def test_a_company_that_was_not_kept_is_not_put_back(sandbox: SandboxControl) -> None:
    realm_id = sandbox.create_company("Ada", books="empty")["realm_id"]
    with pytest.raises(ControlError, match="was not kept") as refused:
        sandbox.put_back(realm_id)
    assert refused.value.status == 409
