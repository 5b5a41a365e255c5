"""
Tells a program or a chat over HTTP: one POST, to https only, and to no other place than the one that was named.

A program gets JSON that is signed as the Standard Webhooks are (https://www.standardwebhooks.com): the header
``webhook-id`` is the same whenever a message is sent again, so that whoever gets one twice can tell.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from include.errors import ChannelError, ConfigurationError
from include.plain_text import visible
from include.quickbooks.addresses import is_loopback
from include.receivables.alerts.wording import KIND_WORDS, MOST_LISTED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from include.receivables.alerts.wording import Item, Message

# Seconds to connect, and to wait for the answer.
TIMEOUT = (5.0, 15.0)
SECRET_PREFIX = "whsec_"  # noqa: S105 - how secrets of Standard Webhooks begin


def post_signed(url: str, secret: str, message: Message) -> None:
    """
    Tell a program.

    :param secret: what the message is signed with.
    :raises ChannelError: when it did not take the message.
    :raises ConfigurationError: when the address or the secret cannot be used.
    """
    key = _key(secret)
    body = json.dumps(payload(message), ensure_ascii=False).encode()
    sent_at = str(int(time.time()))
    _post(
        url,
        body,
        {
            "webhook-id": message.message_id,
            "webhook-timestamp": sent_at,
            "webhook-signature": f"v1,{signature(key, message.message_id, sent_at, body)}",
        },
    )


def post_to_slack(url: str, message: Message) -> None:
    """
    Tell a channel of Slack, or of a chat that takes the same, through an incoming webhook.

    :raises ChannelError: when it did not take the message.
    :raises ConfigurationError: when the address cannot be used.
    """
    _post(url, json.dumps({"text": slack_text(message)}, ensure_ascii=False).encode(), {})


def payload(message: Message) -> dict[str, Any]:
    """Return what a program is told: every alert, amounts as text."""
    return {
        "type": "alerts",
        "summary": message.subject,
        "alerts": [_alert(item, link) for item, link in zip(message.items, message.links, strict=True)],
    }


def slack_text(message: Message) -> str:
    """Return what people in a chat read: a company's name can neither format it nor call anybody."""
    lines = [f"*{_escaped(message.subject)}*"]
    listed = list(zip(message.items, message.links, strict=True))
    for item, link in listed[:MOST_LISTED]:
        lines += ["", f"*{KIND_WORDS[item.kind]}: {_escaped(item.company)}*", _escaped(item.sentence)]
        lines += [f"Amount: {_escaped(item.money)}"] if item.amounts else []
        if item.kind != "closed":
            lines += [f"What to do: {_escaped(item.remedy)}", f"Who: {_escaped(item.who)}"]
        lines.append(f"<{link}|Open the page>")
    if len(listed) > MOST_LISTED:
        lines += ["", f"And {len(listed) - MOST_LISTED:,} more."]
    return "\n".join(lines if listed else [_escaped(message.text.strip())])


def signature(key: bytes, message_id: str, sent_at: str, body: bytes) -> str:
    """Sign a message as the Standard Webhooks do."""
    signed = f"{message_id}.{sent_at}.".encode() + body
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def _alert(item: Item, link: str) -> dict[str, Any]:
    return {
        "event": item.kind,
        "company_id": item.company_id,
        "company_name": item.company_name,
        "code": item.code,
        "detail": item.detail,
        "level": item.level,
        "sentence": item.sentence,
        "remedy": item.remedy,
        "owner": item.owner,
        "amounts": dict(item.amounts),
        "count": item.count,
        "since": item.since.isoformat(),
        "over_since": item.gone_at.isoformat() if item.kind == "closed" and item.gone_at else None,
        "url": link,
    }


def _key(secret: str) -> bytes:
    if not secret:
        raise ConfigurationError(
            "The channel's Airflow connection has no password: set it to a secret that messages are signed with."
        )
    if not secret.startswith(SECRET_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise ConfigurationError(
            f"The secret in the channel's Airflow connection begins with {SECRET_PREFIX}, but no base64 follows."
        ) from None


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> None:
    host = _check_url(url)
    try:
        answer = requests.post(
            url,
            data=body,
            headers={"Content-Type": "application/json; charset=utf-8", **headers},
            timeout=TIMEOUT,
            allow_redirects=False,
        )
    except (requests.exceptions.InvalidURL, ValueError):
        raise ConfigurationError("The address in the channel's Airflow connection is none.") from None
    except requests.RequestException as error:
        is_certain = isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError) or _never_left(
            error
        )
        # Without its text, which quotes the address: that of a chat is a secret.
        raise ChannelError(
            f"{host} gave no answer ({type(error).__name__}).", is_uncertain=not is_certain
        ) from None
    if not 200 <= answer.status_code < 300:
        raise ChannelError(f"{host} answered {answer.status_code}.", is_uncertain=answer.status_code >= 500)


def _never_left(error: requests.RequestException) -> bool:
    """Tell whether a request failed before anything was sent: there was no connection."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return type(reason).__name__ in ("NewConnectionError", "NameResolutionError")


def _check_url(url: str) -> str:
    """Return the host of an address that may be told."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host:
        raise ConfigurationError("The channel's Airflow connection has no address: set its host.")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise ConfigurationError(f"Alerts go to https addresses only, and that of {host} is none.")
    return host


def _escaped(text: str) -> str:
    return visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
