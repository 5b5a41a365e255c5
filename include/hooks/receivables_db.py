"""The Airflow side of the receivables database: a connection becomes a psycopg connection."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.postgres.hooks.postgres import PostgresHook

from include.hooks.connection_lookup import ConnectionLookup
from include.receivables.company.keepalives import KEEPALIVES
from include.sql import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Connection as AirflowConnection
    from psycopg import Connection

# What the connection's extra says goes first.
TIMEOUTS: dict[str, Any] = {"connect_timeout": 10, **KEEPALIVES}


@dataclass(frozen=True, slots=True)
class Actor:
    """
    Who works with the database, as its audit says.

    :param via: through what: ``page``, ``command line`` or ``task``.
    """

    name: str
    via: str


# None in a task, which works for its DAG.
_actor: ContextVar[Actor | None] = ContextVar("actor", default=None)


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """Open connections for somebody."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)


class ReceivablesDbHook(ConnectionLookup, PostgresHook):
    """
    Connect to the Postgres that holds the receivables, as the user of the sync.

    :param postgres_conn_id: the Airflow connection, ``receivables_db`` unless told otherwise.
    """

    default_conn_name = "receivables_db"

    @classmethod
    def get_connection(cls, conn_id: str) -> AirflowConnection:
        """
        Return the Airflow connection, with our timeouts unless it has its own.

        :raises ConfigurationError: when it is not defined.
        """
        connection = super().get_connection(conn_id)
        connection.extra = json.dumps(TIMEOUTS | connection.extra_dejson)
        return connection

    def get_conn(self) -> Connection:
        """
        Return a connection in autocommit mode: every transaction of the sync is opened by name.

        :raises ConfigurationError: when the connection is not defined.
        :raises UnreachableError: when the database does not answer.
        """
        import psycopg

        from include.errors import UnreachableError

        try:
            connection = cast("Connection", super().get_conn())
        except psycopg.OperationalError as error:
            reason = " ".join(str(error).split())
            raise UnreachableError(f"The receivables database does not answer: {reason}") from None
        connection.autocommit = True
        # The statements' best plans depend on the sizes of their arrays, so none is kept.
        connection.prepare_threshold = None
        # Airflow tells a task's process of which DAG it is.
        actor = _actor.get() or Actor(os.environ.get("AIRFLOW_CTX_DAG_ID", ""), "task")
        connection.execute(load("sync/begin_session"), {"actor": actor.name, "via": actor.via})
        return connection

    def get_uri(self) -> str:
        """Return the URL that any client of PostgreSQL takes, with what the connection says about TLS."""
        tls = {key: value for key, value in self.connection.extra_dejson.items() if key.startswith("ssl")}
        return self.sqlalchemy_url.set(drivername="postgresql", query=tls).render_as_string(
            hide_password=False
        )


class PagesDbHook(ReceivablesDbHook):
    """Connect to it as the user of the pages, who sees the companies that a session says it works for."""

    default_conn_name = "receivables_pages_db"


class WebhookDbHook(ReceivablesDbHook):
    """Connect to it as the user of the webhook, who keeps what Intuit tells."""

    default_conn_name = "receivables_webhook_db"


class OwnerDbHook(ReceivablesDbHook):
    """Connect to it as the owner of its schemas, for what neither the sync nor the pages may do."""

    default_conn_name = "receivables_owner_db"
