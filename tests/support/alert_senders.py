"""Senders of alerts in processes of their own, some of which die in the middle of their work."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from include.receivables.alerts import sending
from tests.support.alerts import BASE_URL

if TYPE_CHECKING:
    from datetime import datetime

    from include.receivables.alerts.channels import Channel
    from include.receivables.alerts.wording import Message


@dataclass
class DyingCourier:
    """Dies before or after a message has arrived, and before anybody hears of it."""

    taken: Path
    moment: str

    def deliver(self, channel: Channel, message: Message) -> list[str]:
        if self.moment == "after":
            self.taken.write_text(message.message_id)
        os.kill(os.getpid(), signal.SIGKILL)
        return []


@dataclass
class WritingCourier:
    """Writes down what it is given, a line per channel and alert."""

    file: Path

    def deliver(self, channel: Channel, message: Message) -> list[str]:
        with self.file.open("a") as lines:
            for item in message.items:
                lines.write(json.dumps([channel.name, item.kind, item.company_id]) + "\n")
        return []


def send_and_die(db_url: str, taken: str, moment: datetime, when: str) -> None:
    """Claim what is due, and die at the handing over."""
    with psycopg.connect(db_url, autocommit=True) as db:
        sending.send_due(db, DyingCourier(Path(taken), when), moment, base_url=BASE_URL)


def send_into(db_url: str, file: str, moment: datetime) -> None:
    """Send what is due into a file."""
    Path(file).touch()
    with psycopg.connect(db_url, autocommit=True) as db:
        sending.send_due(db, WritingCourier(Path(file)), moment, base_url=BASE_URL)
