"""
Sends what channels are to be told, each message once to each.

What is due for a channel is claimed in a transaction of its own, handed over, and recorded. A sender that dies between
the last two leaves its claim behind; a later one hands the same message over again, under the same id, once the claim
is so old that nobody can be at work on it. That moment, and an answer that is lost on its way, are the only ones in
which a message may arrive twice.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

from psycopg.rows import class_row

from include.errors import ChannelError, ConfigurationError, SilentChannelError
from include.receivables.alerts.channels import get_channel, list_channels
from include.receivables.alerts.observing import read_clock
from include.receivables.alerts.wording import Item, Message, compose, compose_test
from include.sql import load

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Connection

    from include.receivables.alerts.channels import Channel

logger = logging.getLogger(__name__)

# Longer than a run may take, so that what is still claimed then is nobody's any more.
LEASE = timedelta(minutes=3)
# A message of a program may be long; mail and chat list the first of them.
MOST_TOLD = 1_000


class Courier(Protocol):
    """Hands messages over."""

    def deliver(self, channel: Channel, message: Message) -> list[str]:
        """
        Hand a message over, and return the recipients that were refused while others were not.

        :raises ChannelError: when the channel did not take it.
        :raises ConfigurationError: when its connection is missing or cannot be used.
        """


@dataclass(slots=True)
class Sent:
    """
    What was sent.

    :param messages: handed over.
    :param alerts: that they tell of.
    :param failed: names of the channels that did not take one.
    """

    messages: int = 0
    alerts: int = 0
    failed: list[str] = field(default_factory=list)


def send_due(db: Connection, courier: Courier, moment: datetime, *, base_url: str) -> Sent:
    """
    Send each channel what is due; a channel that fails is left for the next time and keeps no other from its messages.

    :param moment: what is due is told from it.
    """
    sent = Sent()
    for channel in list_channels(db):
        while items := _claim(db, channel, moment):
            message = compose(str(items[0].batch_id), items, base_url)
            if _hand_over(db, courier, channel, message, moment) is not None:
                sent.failed.append(channel.name)
                break
            sent.messages += 1
            sent.alerts += len(items)
    return sent


def send_test(db: Connection, courier: Courier, name: str, *, by: str, base_url: str) -> None:
    """
    Send a message that proves that a channel works; whether it does is kept with it.

    :raises ConfigurationError: when there is no such channel, or its connection is missing or cannot be used.
    :raises SilentChannelError: when it did not take the message, or not for all of its recipients.
    """
    channel = get_channel(db, name)
    message = compose_test(str(uuid4()), name, by, base_url)
    moment = read_clock(db)
    error = _hand_over(db, courier, channel, message, moment)
    if isinstance(error, ConfigurationError):
        raise error
    if error is not None:
        raise SilentChannelError(f"The channel {name} does not work: {error}")


def check_channels(db: Connection) -> None:
    """
    Fail when a channel keeps failing, so that it is seen where runs are watched.

    :raises SilentChannelError: with each such channel and its reason.
    """
    failing = [channel for channel in list_channels(db) if channel.keeps_failing]
    if failing:
        reasons = "; ".join(f"{channel.name}: {channel.last_error}" for channel in failing)
        raise SilentChannelError(
            f"Alerts do not get through ({reasons}): correct the connection, or remove the channel."
        )


def _claim(db: Connection, channel: Channel, moment: datetime) -> list[Item]:
    keys = {
        "channel_id": channel.channel_id,
        "moment": moment,
        "lease": LEASE,
        "batch_id": uuid4(),
        "most": MOST_TOLD,
    }
    with db.cursor(row_factory=class_row(Item)) as cursor:
        claimed = cursor.execute(load("sync/claim_messages"), keys).fetchall()
    return sorted(claimed, key=lambda item: item.message_id)


def _hand_over(
    db: Connection, courier: Courier, channel: Channel, message: Message, moment: datetime
) -> ChannelError | ConfigurationError | None:
    """Hand a message over, note what came of it, and return what went wrong."""
    keys = {"channel_id": channel.channel_id, "batch_id": message.message_id, "moment": moment}
    failure: ChannelError | ConfigurationError
    try:
        refused = courier.deliver(channel, message)
    except (ChannelError, ConfigurationError) as error:
        failure = error
    except Exception as error:
        # Nobody has foreseen it, so it may have arrived; and no other channel is to pay for it.
        failure = ChannelError(f"It broke with {type(error).__name__}.", is_uncertain=True)
    else:
        partly = _of_refused(refused)
        db.execute(load("sync/record_sent"), keys | {"error": None if partly is None else str(partly)})
        return partly
    is_uncertain = isinstance(failure, ChannelError) and failure.is_uncertain
    db.execute(load("sync/record_unsent"), keys | {"error": str(failure), "is_uncertain": is_uncertain})
    logger.warning("The channel %s did not take a message: %s", channel.name, failure)
    return failure


def _of_refused(refused: list[str]) -> ChannelError | None:
    if not refused:
        return None
    return ChannelError(f"The mail server refuses {', '.join(refused)}: correct the recipients.")
