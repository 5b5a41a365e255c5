"""Airflow's connections and Fernet key, put together into what the sync's jobs need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk.configuration import conf

from include.hooks.quickbooks import QuickBooksHook
from include.hooks.receivables_db import ReceivablesDbHook

if TYPE_CHECKING:
    from include.receivables.company.access import Access


def get_access() -> Access:
    """
    Return access to the receivables database and to QuickBooks.

    :raises ConfigurationError: when the connection to QuickBooks or the Fernet key is missing.
    """
    from include.receivables.company.access import Access
    from include.receivables.company.tokens import TokenCipher

    hook = QuickBooksHook()
    return Access(
        connect=ReceivablesDbHook().get_conn,
        app=hook.get_conn(),
        cipher=TokenCipher(conf.get("core", "fernet_key", fallback="")),
        api_url=hook.api_url,
    )
