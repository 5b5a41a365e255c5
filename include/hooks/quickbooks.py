"""The Airflow side of QuickBooks: a connection becomes an Intuit app and the address of its API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk.configuration import conf

from include.hooks.connection_lookup import ConnectionLookup

if TYPE_CHECKING:
    from include.quickbooks.oauth import OAuthApp
    from include.receivables.company.budget import ReadLimit


# Of what people see of QuickBooks Online.
PAGES_URLS = {
    "production": "https://app.qbo.intuit.com/app",
    "sandbox": "https://app.sandbox.qbo.intuit.com/app",
}

# Hosts with their ports and commas between, such as "sandbox:8081". It is no part of the connection: the role Op may
# edit that, and is not to say where keys go.
ALLOWED_HOSTS = ("quickbooks", "allowed_hosts")


class QuickBooksHook(ConnectionLookup):
    """
    Interact with QuickBooks Online as the Intuit app that companies are connected to.

    The connection's login and password are the app's client id and secret; its extra holds ``environment``
    (``sandbox`` or ``production``) and optionally ``api_url``, ``discovery_url``, ``redirect_uri``,
    ``webhook_verifier_token``, ``tier`` and ``monthly_reads``. A company's own tokens are in the receivables database.

    :param quickbooks_conn_id: the Airflow connection.
    """

    conn_name_attr = "quickbooks_conn_id"
    default_conn_name = "quickbooks"
    conn_type = "quickbooks"
    hook_name = "QuickBooks"

    def __init__(self, quickbooks_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.quickbooks_conn_id = quickbooks_conn_id

    def get_conn(self) -> OAuthApp:
        """
        Return the app.

        :raises ConfigurationError: when the connection or a setting is missing or unknown.
        """
        from include.quickbooks.oauth import OAuthApp

        connection = self.get_connection(self.quickbooks_conn_id)
        extra = connection.extra_dejson
        return OAuthApp(
            connection.login or "",
            connection.password or "",
            environment=extra.get("environment", "production"),
            redirect_uri=extra.get("redirect_uri", ""),
            discovery_url=extra.get("discovery_url"),
            allowed_hosts=_allowed_hosts(),
        )

    def test_connection(self) -> tuple[bool, str]:
        """Tell whether Intuit knows the app, for *Check the keys* and Airflow's own test; it takes no company."""
        from include.errors import ReceivablesError

        try:
            app = self.get_conn()
            _ = self.api_url, self.read_limit
            app.check_client()
        except ReceivablesError as error:
            return False, str(error)
        return True, f"Intuit knows this app: client ID and secret are right ({app.environment})."

    @property
    def api_url(self) -> str:
        """
        The address of the API.

        :raises ConfigurationError: when the connection is missing, or its environment or address not one to be used.
        """
        from include.quickbooks.addresses import Addresses

        extra = self.get_connection(self.quickbooks_conn_id).extra_dejson
        addresses = Addresses(extra.get("environment", "production"), _allowed_hosts())
        return addresses.api_url(extra.get("api_url"))

    @property
    def pages_url(self) -> str | None:
        """The address of QuickBooks' own pages; None where another API stands in for Intuit's, or none is set up."""
        from include.errors import ConfigurationError

        try:
            extra = self.get_connection(self.quickbooks_conn_id).extra_dejson
        except ConfigurationError:
            return None
        return None if extra.get("api_url") else PAGES_URLS.get(extra.get("environment", "production"))

    @property
    def webhook_verifier_token(self) -> str:
        """
        The secret that Intuit signs webhook deliveries with; empty where webhooks are not set up.

        :raises ConfigurationError: when the connection is missing.
        """
        extra = self.get_connection(self.quickbooks_conn_id).extra_dejson
        return str(extra.get("webhook_verifier_token") or "")

    @property
    def read_limit(self) -> ReadLimit:
        """
        How many reads a month the app may make.

        :raises ConfigurationError: when the connection is missing, or its tier or number of reads makes no sense.
        """
        from include.errors import ConfigurationError
        from include.receivables.company.budget import ReadLimit

        extra = self.get_connection(self.quickbooks_conn_id).extra_dejson
        try:
            return ReadLimit.of(extra.get("tier"), extra.get("monthly_reads"))
        except ConfigurationError as error:
            raise ConfigurationError(
                f"The connection {self.quickbooks_conn_id!r} has a budget of reads that makes no sense: {error}"
            ) from None


def _allowed_hosts() -> frozenset[str]:
    named = str(conf.get(*ALLOWED_HOSTS, fallback="")).lower().split(",")
    return frozenset(host.strip() for host in named) - {""}
