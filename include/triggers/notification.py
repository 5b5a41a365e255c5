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
# When to fire again for what is still to be done; each time twice as late, as the DAG's own schedule sees to the rest.
AGAIN_SECONDS = 10.0
LATEST_AGAIN_SECONDS = 300.0


class NotificationTrigger(BaseEventTrigger):
    """
    Fire when the database notifies: at once for the first time, then once for all that follows closely.

    It fires again for what is still to be done a while later, as Airflow may lose an event: one that comes while the
    scheduler turns the one before into a run (``on conflict do nothing`` against a row that is then deleted). So does
    it for what was notified while it did not listen: before it began, or while the connection was lost, which is
    opened again, for as long as it takes.

    :param channel: what to listen to; each notification names a company.
    :param backlog: the statement that lists the companies for which there is something to do.
    :param dag_id: of the DAG that does it, which the statement may ask about.
    :param pause_seconds: how long to gather what follows before firing again.
    :param postgres_conn_id: the Airflow connection of the receivables database.
    """

    def __init__(
        self,
        channel: str,
        backlog: str,
        dag_id: str,
        pause_seconds: float = 1.0,
        postgres_conn_id: str = "receivables_db",
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.channel = channel
        self.backlog = backlog
        self.dag_id = dag_id
        self.pause_seconds = pause_seconds
        self.postgres_conn_id = postgres_conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what another process needs to build this trigger."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "channel": self.channel,
                "backlog": self.backlog,
                "dag_id": self.dag_id,
                "pause_seconds": self.pause_seconds,
                "postgres_conn_id": self.postgres_conn_id,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Listen, and fire for each notification or group of them, and for what is still to be done."""
        import psycopg  # noqa: PLC0415 - DAG files that name this trigger are parsed again and again
        from psycopg import sql  # noqa: PLC0415 - see above

        while True:
            try:
                async with await self._connect() as db:
                    await db.execute(sql.SQL("listen {}").format(sql.Identifier(self.channel)))
                    async for companies in self._follow(db):
                        yield TriggerEvent({"companies": sorted(companies)})  # type: ignore[no-untyped-call]
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
            application_name=f"listen {self.channel}",
            **KEEPALIVES,
            **tls,
        )

    async def _follow(self, db: AsyncConnection) -> AsyncIterator[set[str]]:
        again = AGAIN_SECONDS
        companies = await self._list_backlog(db)
        while True:
            if companies:
                yield companies
                await asyncio.sleep(self.pause_seconds)
            # Waits for one, and takes all together that have come by then.
            timeout = again if companies else None
            told = {notice.payload async for notice in db.notifies(timeout=timeout, stop_after=1)}
            again = AGAIN_SECONDS if told else min(2 * again, LATEST_AGAIN_SECONDS)
            companies = told or await self._list_backlog(db)

    async def _list_backlog(self, db: AsyncConnection) -> set[str]:
        from include.sql import load  # noqa: PLC0415 - see above

        cursor = await db.execute(load(self.backlog), {"dag_id": self.dag_id})
        return {company_id async for (company_id,) in cursor}
