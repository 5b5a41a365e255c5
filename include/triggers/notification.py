"""Wakes a DAG as soon as the receivables database says that there is something to do."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.triggers.base import BaseEventTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from psycopg import AsyncConnection

logger = logging.getLogger(__name__)

# A payment was queued for QuickBooks; the payload is its company.
OUTBOX_DELIVERY = "outbox_delivery"
# QuickBooks says that records of a company have changed; the payload is the company.
WEBHOOK_EVENT = "webhook_event"

RECONNECT_SECONDS = 5.0


class NotificationTrigger(BaseEventTrigger):
    """
    Fire when the database notifies: at once for the first time, then once for all that follows closely.

    A lost connection to the database is opened again, for as long as it takes; what was notified meanwhile is fired
    for then.

    :param channel: what to listen to; each notification names a company.
    :param pause_seconds: how long to gather what follows before firing again.
    :param postgres_conn_id: the Airflow connection of the receivables database.
    """

    def __init__(
        self, channel: str, pause_seconds: float = 1.0, postgres_conn_id: str = "receivables_db"
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.channel = channel
        self.pause_seconds = pause_seconds
        self.postgres_conn_id = postgres_conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what another process needs to build this trigger."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "channel": self.channel,
                "pause_seconds": self.pause_seconds,
                "postgres_conn_id": self.postgres_conn_id,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Listen, and fire for each notification or group of them."""
        import psycopg  # noqa: PLC0415 - DAG files that name this trigger are parsed again and again
        from psycopg import sql  # noqa: PLC0415 - see above

        is_first = True
        while True:
            try:
                async with await self._connect() as db:
                    await db.execute(sql.SQL("listen {}").format(sql.Identifier(self.channel)))
                    if not is_first:
                        yield TriggerEvent({"companies": []})  # type: ignore[no-untyped-call]
                    is_first = False
                    async for event in self._listen(db):
                        yield event
            except psycopg.OperationalError as error:
                logger.warning("Nobody listens to %s: %s", self.channel, " ".join(str(error).split()))
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _connect(self) -> AsyncConnection:
        import psycopg  # noqa: PLC0415 - see above

        from include.receivables.company.keepalives import KEEPALIVES  # noqa: PLC0415 - see above

        connection = await BaseHook.aget_connection(self.postgres_conn_id)
        tls = {key: value for key, value in connection.extra_dejson.items() if key.startswith("ssl")}
        return await psycopg.AsyncConnection.connect(
            host=connection.host,
            port=connection.port,
            user=connection.login,
            password=connection.password,
            dbname=connection.schema,
            autocommit=True,
            **KEEPALIVES,
            **tls,
        )

    async def _listen(self, db: AsyncConnection) -> AsyncIterator[TriggerEvent]:
        while True:
            # Waits for one as long as it takes, and takes all together that have come by then.
            companies = {notification.payload async for notification in db.notifies(stop_after=1)}
            yield TriggerEvent({"companies": sorted(companies)})  # type: ignore[no-untyped-call]
            await asyncio.sleep(self.pause_seconds)
