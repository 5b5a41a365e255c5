"""The Airflow side of alerts: a channel's connection becomes a mail server, a chat or a program that is told."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.providers.smtp.hooks.smtp import SmtpHook
from airflow.sdk.exceptions import AirflowException

from include.errors import ChannelError, ConfigurationError
from include.hooks.connection_lookup import ConnectionLookup
from include.plain_text import one_line
from include.quickbooks.addresses import is_loopback
from include.receivables.alerts import webhook_call

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from include.receivables.alerts.channels import Channel
    from include.receivables.alerts.wording import Message

MOST_QUOTED = 200


class AlertCourier:
    """Hands messages over, each through its channel's Airflow connection."""

    def deliver(self, channel: Channel, message: Message) -> list[str]:
        """
        Hand a message over, and return the recipients that were refused while others were not.

        :raises ChannelError: when the channel did not take it.
        :raises ConfigurationError: when its connection is missing or cannot be used.
        """
        if channel.kind == "smtp":
            with MailHook(channel.connection_id) as mail:
                return mail.send(channel.recipients, message)
        connection = ConnectionLookup.get_connection(channel.connection_id)
        if channel.kind == "slack":
            webhook_call.post_to_slack(_slack_url(connection), message)
        else:
            webhook_call.post_signed(_url(connection), connection.password or "", message)
        return []


class MailHook(ConnectionLookup, SmtpHook):
    """
    Send mail through a connection of Airflow's type SMTP.

    Airflow's own hook connects, encrypts and signs in. What it does not do is done here: it tells neither of recipients
    that were refused, nor what certainly failed from what may have arrived, and sends again without a look.
    """

    def __enter__(self) -> MailHook:
        """
        Connect and sign in.

        :raises ChannelError: when the server cannot be reached or does not let us in.
        :raises ConfigurationError: when the connection is missing, or would send its password in the clear.
        """
        connection = self.get_connection(self.smtp_conn_id)
        self._check_encrypted(connection)
        try:
            self.get_conn()
        except (OSError, smtplib.SMTPException, AirflowException) as error:
            self._hang_up()
            raise ChannelError(f"The mail server cannot be used: {_said(error)}.") from None
        return self

    def send(self, recipients: list[str], message: Message) -> list[str]:
        """
        Send a mail and return which recipients the server refused.

        :raises ChannelError: when it took the mail for none of them.
        :raises ConfigurationError: when the connection names no sender.
        """
        client: Any = self._smtp_client
        mail = self._mail(recipients, message)
        try:
            refused = client.send_message(mail, to_addrs=recipients)
        except smtplib.SMTPServerDisconnected as error:
            raise ChannelError(
                f"The mail server gave no answer: {_said(error)}.", is_uncertain=True
            ) from None
        except smtplib.SMTPException as error:
            raise ChannelError(f"The mail server refuses the mail: {_said(error)}.") from None
        except OSError as error:
            raise ChannelError(
                f"The mail server gave no answer: {_said(error)}.", is_uncertain=True
            ) from None
        return list(refused)

    def _mail(self, recipients: list[str], message: Message) -> EmailMessage:
        sender = self.from_email or self.smtp_user
        if not sender:
            raise ConfigurationError(
                f"The Airflow connection {self.smtp_conn_id!r} names no sender: set from_email in its extra."
            )
        mail = EmailMessage()
        mail["Subject"] = message.subject
        mail["From"] = sender
        mail["To"] = ", ".join(recipients)
        mail["Date"] = formatdate()
        mail["Message-ID"] = (
            f"<{message.message_id}@{sender.rpartition('@')[2].rstrip('>') or 'receivables'}>"
        )
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        mail.add_alternative(message.html, subtype="html")
        return mail

    def _hang_up(self) -> None:
        client: Any = self._smtp_client
        if client is not None:
            client.close()

    def _check_encrypted(self, connection: Connection) -> None:
        extra = connection.extra_dejson
        is_plain = extra.get("disable_ssl") and extra.get("disable_tls")
        if is_plain and connection.password and not is_loopback(connection.host or ""):
            raise ConfigurationError(
                f"The Airflow connection {self.smtp_conn_id!r} would send its password in the clear: leave "
                "disable_ssl or disable_tls out of its extra."
            )


def _url(connection: Connection) -> str:
    """Return a connection's address: all of it in the host, or put together as Airflow's HTTP connections are."""
    host = connection.host or ""
    if "://" in host:
        return host
    port = f":{connection.port}" if connection.port else ""
    return f"{connection.schema or 'https'}://{host}{port}"


def _slack_url(connection: Connection) -> str:
    """Return the address of an incoming webhook; the part of it that is secret may be the password."""
    url = _url(connection)
    secret = (connection.password or "").strip("/")
    if secret and urlsplit(secret).scheme:
        return secret
    return f"{url.rstrip('/')}/{secret}" if secret else url


def _said(error: BaseException) -> str:
    """Say what went wrong without what was sent, which may hold a secret."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        reasons = {f"{code} {_text(reason)}" for code, reason in error.recipients.values()}
        return ", ".join(sorted(reasons))[:MOST_QUOTED]
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error)}"
    return type(error).__name__


def _text(answer: bytes | str) -> str:
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    return one_line(text)[:MOST_QUOTED]
