"""The Airflow side of the receivables database: a connection becomes a psycopg connection."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.postgres.hooks.postgres import PostgresHook

from include.hooks.connection_lookup import ConnectionLookup
from include.receivables.company.keepalives import KEEPALIVES

if TYPE_CHECKING:
    from airflow.sdk import Connection as AirflowConnection
    from psycopg import Connection

# What the connection's extra says goes first.
TIMEOUTS: dict[str, Any] = {"connect_timeout": 10, **KEEPALIVES}


class ReceivablesDbHook(ConnectionLookup, PostgresHook):
    """
    Connect to the Postgres that holds the receivables.

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
        connection.execute("set time zone 'UTC'")
        return connection

    def get_uri(self) -> str:
        """Return the URL that any client of PostgreSQL takes, with what the connection says about TLS."""
        tls = {key: value for key, value in self.connection.extra_dejson.items() if key.startswith("ssl")}
        return self.sqlalchemy_url.set(drivername="postgresql", query=tls).render_as_string(
            hide_password=False
        )
