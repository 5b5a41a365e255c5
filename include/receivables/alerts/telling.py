"""One look at what is wrong, and all that follows from it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from include.receivables.alerts import causes, observing, sending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

    from include.receivables.alerts.sending import Courier


def tell(db: Connection, courier: Courier, *, base_url: str, tests: Sequence[str] = ()) -> dict[str, Any]:
    """
    See what is wrong, send what is due, and return the counts.

    :param tests: channels to be sent a test message.
    :raises ConfigurationError: when there is no channel of a test's name, or its connection cannot be used.
    :raises SilentChannelError: when a channel keeps failing or fails its test; all others have been told.
    """
    moment = observing.read_clock(db)
    observing.observe(db, causes.list_causes(db), moment)
    sent = sending.send_due(db, courier, moment, base_url=base_url)
    for name in tests:
        sending.send_test(db, courier, name, by="Airflow", base_url=base_url)
    sending.check_channels(db)
    return asdict(sent)
