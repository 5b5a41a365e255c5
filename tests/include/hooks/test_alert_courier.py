from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
from datetime import UTC, datetime
from uuid import UUID

import pytest

from include.errors import ChannelError, ConfigurationError
from include.hooks.alert_courier import AlertCourier
from include.receivables.alerts.channels import Channel
from include.receivables.alerts.wording import Item, compose, compose_test
from local.ports import free_port
from tests.support.mail_server import MailServer, running_mail_server
from tests.support.webhook_listener import listening

BASE_URL = "https://airflow.example"
MESSAGE_ID = "6f1f7a52-3d0c-4f5e-9d3b-0a8e5f0f8a11"
SECRET = "a-secret-of-the-channel"


def item(**changes) -> Item:
    given = {
        "batch_id": UUID(MESSAGE_ID),
        "message_id": 1,
        "kind": "opened",
        "company_id": "acme",
        "company_name": "Acme",
        "code": "payments_differ",
        "detail": "",
        "level": "warning",
        "sentence": "3 payments are held.",
        "remedy": "Decide about each on the company's page.",
        "owner": "bookkeeper",
        "amounts": {"EUR": "30.00", "USD": "1250.5000"},
        "count": 3,
        "since": datetime(2026, 11, 30, 9, 5, tzinfo=UTC),
        "gone_at": None,
    }
    return Item(**given | changes)


def channel(kind: str, connection_id: str = "told", recipients=("finance@example.com",)) -> Channel:
    return Channel(
        channel_id=1,
        name="told",
        kind=kind,
        connection_id=connection_id,
        recipients=list(recipients) if kind == "smtp" else [],
        company_id="",
        level="warning",
        codes=None,
        quiet_from=None,
        quiet_until=None,
        time_zone="UTC",
        created_at=datetime(2026, 11, 30, tzinfo=UTC),
        created_by="admin",
        last_sent_at=None,
        failures=0,
        failing_since=None,
        last_error=None,
    )


def deliver(kind: str, *items: Item, recipients=("finance@example.com",)) -> list[str]:
    message = compose(MESSAGE_ID, items or (item(),), BASE_URL)
    return AlertCourier().deliver(channel(kind, recipients=recipients), message)


@pytest.fixture
def mail_server(monkeypatch):
    with running_mail_server() as server:
        monkeypatch.setenv("AIRFLOW_CONN_TOLD", server.connection())
        yield server


@pytest.fixture
def listener(monkeypatch):
    with listening() as heard:
        define(monkeypatch, heard.url)
        yield heard


def define(monkeypatch, host: str, **fields) -> None:
    given = {"conn_type": "http", "host": host, "password": SECRET}
    monkeypatch.setenv("AIRFLOW_CONN_TOLD", json.dumps(given | fields))


def test_a_mail_says_who_what_how_much_what_to_do_who_does_it_and_where(mail_server: MailServer):
    assert deliver("smtp", recipients=["finance@example.com", "ops@example.com"]) == []

    [received] = mail_server.received
    assert received.recipients == ["finance@example.com", "ops@example.com"]
    assert received.mail["Subject"] == "[QuickBooks] Acme: 3 payments are held."
    assert received.mail["From"] == "alerts@example.com"
    assert received.mail["To"] == "finance@example.com, ops@example.com"
    assert received.mail["Message-ID"] == f"<{MESSAGE_ID}@example.com>"
    for part in ("plain", "html"):
        text = received.part(part)
        for words in (
            "Acme",
            "3 payments are held.",
            "30.00 EUR, 1,250.50 USD",
            "Decide about each on the company",
            "The bookkeeper",
            "2026-11-30 09:05 UTC",
            "https://airflow.example/quickbooks/companies/acme",
        ):
            assert words in text, (part, words)


def test_a_mail_about_an_end_says_since_when_and_asks_for_nothing(mail_server: MailServer):
    deliver("smtp", item(kind="closed", gone_at=datetime(2026, 11, 30, 10, 0, tzinfo=UTC)))

    [received] = mail_server.received
    assert received.mail["Subject"] == "[QuickBooks] Over: Acme: 3 payments are held."
    assert "Over since: 2026-11-30 10:00 UTC" in received.part("plain")
    assert "What to do" not in received.part("plain") + received.part("html")


def test_five_hundred_at_once_are_one_mail_that_lists_the_first(mail_server: MailServer):
    items = [item(message_id=number, company_id=f"c-{number}", company_name=None) for number in range(500)]
    items.append(item(message_id=501, company_id="worst", company_name="The worst", level="danger"))

    deliver("smtp", *items)

    [received] = mail_server.received
    assert received.mail["Subject"] == "[QuickBooks] 501 companies: 501 to look at"
    text = received.part("plain")
    assert text.count("What to do:") == received.part("html").count("What to do") == 20
    assert text.index("New: The worst (worst)") < text.index("New: c-0")
    assert "And 481 more: https://airflow.example/quickbooks/alerts" in text


def test_who_names_a_company_adds_no_header_no_markup_and_no_template(mail_server: MailServer):
    name = "Acme\r\nBcc: thief@example.com\r\n\r\n<b onclick='x'>{{ 7 * 7 }}</b>\u202e\x00"

    deliver("smtp", item(company_name=name, sentence="{{ 7 * 7 }} <img src=x>"))

    [received] = mail_server.received
    assert received.recipients == ["finance@example.com"]
    assert received.mail["Bcc"] is None
    assert "Acme Bcc: thief@example.com" in received.mail["Subject"]
    html = received.part("html")
    assert "<b onclick" not in html
    assert "<img" not in html
    assert "49" not in html + received.part("plain")
    assert "{{ 7 * 7 }}" in received.part("plain")


def test_recipients_that_the_server_refuses_are_named_and_the_others_get_their_mail(mail_server: MailServer):
    mail_server.refused = {"gone@example.com"}

    assert deliver("smtp", recipients=["gone@example.com", "finance@example.com"]) == ["gone@example.com"]
    [received] = mail_server.received
    assert received.recipients == ["finance@example.com"]


def test_a_server_that_refuses_all_is_quoted_and_nothing_has_arrived(mail_server: MailServer):
    mail_server.refused = {"finance@example.com"}
    with pytest.raises(ChannelError, match=r"550 5\.1\.1 no such mailbox") as refused:
        deliver("smtp")
    assert not refused.value.is_uncertain

    mail_server.refused, mail_server.answer = set(), "552 5.3.4 too large"
    with pytest.raises(ChannelError, match=r"552 5\.3\.4 too large") as refused:
        deliver("smtp")
    assert not refused.value.is_uncertain


def test_a_server_that_hangs_up_on_a_mail_may_have_taken_it_and_is_not_asked_again_at_once(
    mail_server: MailServer,
):
    mail_server.hangs_up = True

    with pytest.raises(ChannelError, match="gave no answer") as lost:
        deliver("smtp")

    assert lost.value.is_uncertain
    assert len(mail_server.received) == 1


def test_a_server_that_is_not_there_has_certainly_taken_nothing(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_TOLD", MailServer(port=free_port()).connection())

    with pytest.raises(ChannelError, match="cannot be used: ConnectionRefusedError") as away:
        deliver("smtp")

    assert not away.value.is_uncertain


def test_a_wrong_password_of_a_mail_server_is_said_without_it(monkeypatch, mail_server: MailServer, caplog):
    monkeypatch.setenv("AIRFLOW_CONN_TOLD", mail_server.connection(login="alerts", password="hunter2"))

    with pytest.raises(ChannelError) as refused:
        deliver("smtp")

    assert "hunter2" not in str(refused.value) + caplog.text


def test_a_password_is_not_sent_in_the_clear(monkeypatch):
    connection = MailServer(port=25).connection(host="mail.example", login="alerts", password="hunter2")
    monkeypatch.setenv("AIRFLOW_CONN_TOLD", connection)

    with pytest.raises(ConfigurationError, match="would send its password in the clear"):
        deliver("smtp")


def test_a_mail_without_a_sender_is_refused(monkeypatch, mail_server: MailServer):
    extra = {"disable_ssl": True, "disable_tls": True}
    monkeypatch.setenv("AIRFLOW_CONN_TOLD", mail_server.connection(extra=extra))

    with pytest.raises(ConfigurationError, match="names no sender: set from_email"):
        deliver("smtp")


def test_a_program_gets_every_alert_signed_as_standard_webhooks_are(listener):
    items = [item(message_id=number, company_id=f"c-{number}") for number in range(30)]

    deliver("webhook", *items)

    [posted] = listener.posted
    told = json.loads(posted.body)
    assert [alert["company_id"] for alert in told["alerts"]] == [f"c-{number}" for number in range(30)]
    assert told["alerts"][0]["amounts"] == {"EUR": "30.00", "USD": "1250.5000"}
    assert told["alerts"][0]["url"] == "https://airflow.example/quickbooks/companies/c-0"
    assert posted.headers["webhook-id"] == MESSAGE_ID
    signed = f"{MESSAGE_ID}.{posted.headers['webhook-timestamp']}.".encode() + posted.body
    expected = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert posted.headers["webhook-signature"] == f"v1,{expected}"


def test_a_secret_may_be_written_as_standard_webhooks_write_it(monkeypatch, listener):
    key = b"thirty-two bytes of a random key"
    define(monkeypatch, listener.url, password=f"whsec_{base64.b64encode(key).decode()}")

    deliver("webhook")

    [posted] = listener.posted
    signed = f"{MESSAGE_ID}.{posted.headers['webhook-timestamp']}.".encode() + posted.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert posted.headers["webhook-signature"] == f"v1,{expected}"


def test_a_chat_is_told_in_words_that_no_company_can_format(monkeypatch, listener):
    address, _, secret = listener.url.rpartition("/")
    define(monkeypatch, address, password=secret)

    deliver("slack", item(company_name="<!channel> & <https://evil.example|Acme>"))

    [posted] = listener.posted
    text = json.loads(posted.body)["text"]
    assert "&lt;!channel&gt; &amp; &lt;https://evil.example|Acme&gt;" in text
    assert "<!channel>" not in text
    assert "Amount: 30.00 EUR, 1,250.50 USD" in text
    assert "<https://airflow.example/quickbooks/companies/acme|Open the page>" in text


@pytest.mark.parametrize("kind", ["smtp", "slack", "webhook"])
def test_a_test_message_says_that_it_is_one(monkeypatch, kind: str):
    with running_mail_server() as mail_server, listening() as heard:
        if kind == "smtp":
            monkeypatch.setenv("AIRFLOW_CONN_TOLD", mail_server.connection())
        else:
            define(monkeypatch, heard.url, password=SECRET if kind == "webhook" else "")

        AlertCourier().deliver(channel(kind), compose_test(MESSAGE_ID, "told", "admin", BASE_URL))

        told = [received.mail["Subject"] for received in mail_server.received]
        told += [posted.body.decode() for posted in heard.posted]
        assert len(told) == 1
        assert "Test of the channel told" in told[0] or "This channel works. admin" in told[0]


@pytest.mark.parametrize(
    ("status", "is_uncertain"), [(400, False), (404, False), (429, False), (302, False), (503, True)]
)
def test_an_answer_that_is_no_yes_is_said_with_its_status(listener, status: int, is_uncertain: bool):
    listener.answer = lambda number: status

    with pytest.raises(ChannelError, match=f"127.0.0.1 answered {status}") as refused:
        deliver("webhook")

    assert refused.value.is_uncertain is is_uncertain
    assert len(listener.posted) == 1


def test_an_address_that_does_not_answer_is_said_without_its_secret(monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    define(monkeypatch, f"http://127.0.0.1:{free_port()}/services", password="T000/B000/the-secret")

    with pytest.raises(ChannelError, match=r"127\.0\.0\.1 gave no answer") as away:
        deliver("slack")

    assert not away.value.is_uncertain
    assert "the-secret" not in str(away.value)


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        ("http://hooks.example.com/alerts", "https addresses only, and that of hooks.example.com is none"),
        ("http://127.0.0.1.example.com/", "https addresses only"),
        ("file:///etc/passwd", "has no address"),
        ("", "has no address"),
        ("https://[::1", "has no address"),
    ],
)
def test_alerts_go_to_https_only(monkeypatch, host: str, sentence: str):
    define(monkeypatch, host)

    with pytest.raises(ConfigurationError, match=sentence):
        deliver("webhook")


@pytest.mark.parametrize(
    ("password", "sentence"), [("", "has no password"), ("whsec_***", "no base64 follows")]
)
def test_a_webhook_is_not_told_unsigned(monkeypatch, listener, password: str, sentence: str):
    define(monkeypatch, listener.url, password=password)

    with pytest.raises(ConfigurationError, match=sentence):
        deliver("webhook")
    assert listener.posted == []


@pytest.mark.parametrize("kind", ["smtp", "slack", "webhook"])
def test_a_connection_that_is_not_defined_is_said(kind: str):
    with pytest.raises(ConfigurationError, match="'told' is not defined: add it in Airflow"):
        deliver(kind)
