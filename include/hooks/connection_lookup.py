"""How the hooks find their Airflow connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from include.errors import ConfigurationError

if TYPE_CHECKING:
    from airflow.sdk import Connection


class ConnectionLookup(BaseHook):
    """Look an Airflow connection up, and say how to define it when there is none."""

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """
        Return a connection, wherever Airflow keeps it.

        :raises ConfigurationError: when it is not defined.
        """
        try:
            return super().get_connection(conn_id)
        except AirflowNotFoundException:
            raise ConfigurationError(
                f"The Airflow connection {conn_id!r} is not defined: add it in Airflow, or set "
                f"AIRFLOW_CONN_{conn_id.upper()}."
            ) from None
