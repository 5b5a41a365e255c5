from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from include.receivables.alerts import channels, observing
from include.receivables.alerts.channels import NewChannel
from tests.support.alerts import BASE_URL, KeepingCourier, cause, payments
from tests.support.rows import audited

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.fixtures_web import Web

FORM = {
    "name": "finance",
    "kind": "smtp",
    "connection_id": "smtp_default",
    "recipients": "a@example.com, b@example.com",
    "company_id": "",
    "level": "warning",
    "codes": "",
    "quiet_from": "22:00",
    "quiet_until": "07:00",
    "time_zone": "Asia/Singapore",
}


def observe(web: Web, *causes: Any, ago: timedelta = timedelta()) -> None:
    observing.observe(web.db, causes, datetime.now(UTC) - ago)


def test_the_page_says_what_is_wrong_how_much_who_acts_and_who_was_told(
    web: Web, add_company: Callable[..., str]
):
    from include.receivables.alerts import sending

    add_company("acme", name="Acme & <Sons>")
    channels.add_channel(web.db, NewChannel("ops", "slack", "chat"), by="admin")
    channels.add_channel(web.db, NewChannel("night", "slack", "chat", level="danger"), by="admin")
    observe(web, payments(sentence="3 payments are held.", remedy="Decide about each."))
    sending.send_due(web.db, KeepingCourier(), datetime.now(UTC), base_url=BASE_URL)

    page = web.as_("viewer").get("alerts").text

    for words in (
        "Acme &amp; &lt;Sons&gt;",
        "3 payments are held.",
        "Decide about each.",
        "The bookkeeper",
        "1,250.00 USD",
        ">ops",
        "night",
    ):
        assert words in page, words
    assert "Send test" not in page
    assert "Add a channel" not in page


def test_what_is_over_has_a_list_of_its_own(web: Web, add_company: Callable[..., str]):
    add_company("acme")
    observe(web, cause(), cause("globex"), ago=timedelta(minutes=30))
    observe(web, cause("globex"), ago=timedelta(minutes=20))
    observe(web, cause("globex"))
    browser = web.as_("viewer")

    is_open, over = browser.get("alerts").text, browser.get("alerts?state=closed").text

    assert ("not_fresh at globex" in is_open, "not_fresh at acme" in is_open) == (True, False)
    assert ("not_fresh at globex" in over, "not_fresh at acme" in over) == (False, True)
    assert "not_fresh at globex" not in browser.get("alerts?company_id=acme").text


def test_a_long_list_goes_on(web: Web):
    observe(web, *[cause(f"company-{number:03}") for number in range(120)])
    browser, target, seen = web.as_("viewer"), "alerts", set()
    for _ in range(3):
        page = browser.get(target).text
        seen |= {number for number in range(120) if f"not_fresh at company-{number:03}." in page}
        target = page.partition('">Earlier</a>')[0].rpartition('href="')[2].replace("&amp;", "&")

    assert len(seen) == 120


def test_it_says_when_nobody_looks_and_when_nobody_is_told(web: Web):
    browser = web.as_("admin")
    assert "the last look was" in browser.get("alerts").text
    assert "there is no channel" in browser.get("alerts").text

    observe(web)
    channels.add_channel(web.db, NewChannel("ops", "slack", "chat"), by="admin")

    page = browser.get("alerts").text
    assert "the last look was" not in page
    assert "there is no channel" not in page
    assert "Nothing is wrong" in page


def test_an_administrator_adds_and_removes_a_channel(web: Web):
    browser = web.as_("admin")
    answer = browser.submit("alerts/channels", page="alerts", **FORM)
    assert answer.status_code == 303, answer.text

    channel = channels.get_channel(web.db, "finance")
    assert channel.recipients == ["a@example.com", "b@example.com"]
    assert (f"{channel.quiet_from:%H:%M}", channel.time_zone, channel.created_by) == (
        "22:00",
        "Asia/Singapore",
        "admin",
    )
    page = browser.get("alerts").text
    assert "Mail to a@example.com, b@example.com" in page
    assert "22:00–07:00" in page

    assert browser.submit("alerts/channels/finance/remove", page="alerts").status_code == 303
    assert channels.list_channels(web.db) == []
    [added] = audited(web.db, "alert_channel.insert")
    [removed] = audited(web.db, "alert_channel.update")
    assert (added["actor"], added["facts"]["name"]) == ("admin", [None, "finance"])
    assert (removed["actor"], removed["facts"]["name"]) == ("admin", ["finance", "finance"])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "no way"}, "is no name of a channel"),
        ({"kind": "pigeon"}, "is no kind of channel"),
        ({"connection_id": ""}, "Name the Airflow connection by its id."),
        ({"recipients": ""}, "A channel of mail has recipients"),
        ({"recipients": "a@example.com\r\nBcc: thief"}, "A recipient is no mail address"),
        ({"kind": "slack"}, "A channel of mail has recipients"),
        ({"level": "all"}, "is no level"),
        ({"codes": "Reconnect!"}, "A cause is named in small letters"),
        ({"company_id": "nobody"}, "There is no company"),
        ({"quiet_from": ""}, "Quiet hours have a beginning and another end"),
        ({"quiet_from": "07:00"}, "Quiet hours have a beginning and another end"),
        ({"quiet_from": "late"}, "Quiet hours are written like 22:00."),
        ({"time_zone": "Atlantis"}, "is no time zone"),
    ],
)
def test_what_cannot_be_a_channel_is_said_beside_the_form_as_it_was_sent(
    web: Web, changes: dict[str, str], sentence: str
):
    answer = web.as_("admin").submit("alerts/channels", page="alerts", **FORM | changes)

    assert answer.status_code == 422
    assert sentence in answer.text
    assert 'value="Asia/Singapore"' in answer.text or "time_zone" in changes
    assert channels.list_channels(web.db) == []


def test_a_name_that_is_taken_is_said(web: Web):
    browser = web.as_("admin")
    browser.submit("alerts/channels", page="alerts", **FORM)

    assert "There is a channel" in browser.submit("alerts/channels", page="alerts", **FORM).text


def test_a_test_is_sent_by_a_run_that_the_page_follows(web: Web):
    channels.add_channel(web.db, NewChannel("ops", "slack", "chat"), by="admin")
    browser = web.as_("admin")

    answer = browser.submit("alerts/channels/ops/test", page="alerts")

    assert answer.status_code == 303, answer.text
    runs = web.airflow("admin", "GET", "dags/send_alerts/dagRuns", params={"order_by": "-start_date"})
    assert {"test_channels": ["ops"]} in [run["conf"] for run in runs["dag_runs"]]
    assert "Sending of alerts has been started." in browser.get(answer.headers["location"]).text
    assert browser.submit("alerts/channels/nobody/test", page="alerts").status_code == 404


def test_a_channel_that_fails_is_shown_with_its_reason(web: Web):
    from include.errors import ChannelError
    from include.receivables.alerts import sending

    channels.add_channel(web.db, NewChannel("ops", "slack", "chat"), by="admin")
    observe(web, cause(amounts={"USD": Decimal("0.10")}))
    courier = KeepingCourier(broken={"ops": ChannelError("hooks.slack.com answered 404.")})
    for _ in range(3):
        sending.send_due(web.db, courier, datetime.now(UTC), base_url=BASE_URL)

    page = web.as_("viewer").get("alerts").text

    assert 'badge-danger">Fails' in page
    assert "hooks.slack.com answered 404." in page
    assert "waits: ops" in page


def test_the_list_of_companies_leads_to_the_alerts(web: Web):
    assert 'href="/quickbooks/alerts"' in web.as_("viewer").get("").text
