"""
Where an app may send what is secret.

Whoever may edit an Airflow connection may write any address into it. So none is believed: in production only Intuit's
own are used, and elsewhere one has to be Intuit's, this machine's, or of a host that the deployment names.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from include.errors import ConfigurationError

API_URLS = {
    "production": "https://quickbooks.api.intuit.com",
    "sandbox": "https://sandbox-quickbooks.api.intuit.com",
}
# Of its APIs, its consent page, its tokens and its discovery documents.
INTUIT_HOSTS = frozenset(
    {
        "quickbooks.api.intuit.com",
        "sandbox-quickbooks.api.intuit.com",
        "appcenter.intuit.com",
        "oauth.platform.intuit.com",
        "developer.api.intuit.com",
    }
)
# Only what every reader of addresses reads alike: no user, no backslash, no percent sign, nothing but ASCII.
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<authority>(?P<host>[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?)(?:/[a-z0-9._~/-]*)?",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Addresses:
    """
    The addresses of one app.

    :param environment: ``production`` or ``sandbox``.
    :param allowed_hosts: what the deployment names besides Intuit's, with their ports, such as ``sandbox:8081``; not
        for production.
    :raises ConfigurationError: if the environment is unknown.
    """

    environment: str
    allowed_hosts: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.environment not in API_URLS:
            raise ConfigurationError(
                f"The environment {self.environment!r} is unknown: use one of {', '.join(API_URLS)}."
            )

    def api_url(self, given: str | None) -> str:
        """
        Return the address of the API.

        :param given: what is to be asked in place of Intuit's.
        :raises ConfigurationError: if it may not be asked.
        """
        return self.override("api_url", given) or API_URLS[self.environment]

    def override(self, name: str, url: str | None) -> str | None:
        """
        Return an address that is set in place of Intuit's, if there is one.

        :raises ConfigurationError: if it may not be told anything secret.
        """
        if not url:
            return None
        if self.environment == "production":
            raise ConfigurationError(
                f"With the environment production only Intuit's own addresses are used: take {name} out of the "
                "connection."
            )
        return self.check(name, url)

    def check(self, name: str, url: str) -> str:
        """
        Return an address that may be told what is secret.

        :param name: what the address is called where it stands.
        :raises ConfigurationError: if it may not.
        """
        address = _ADDRESS.fullmatch(url)
        if address is None or not self._is_trusted(**address.groupdict()):
            raise ConfigurationError(
                f"Nothing is sent to {name}: it has to be an address of Intuit's with https, of this machine, or of a "
                "host that the deployment names in [quickbooks] allowed_hosts."
            )
        return url

    def _is_trusted(self, scheme: str, authority: str, host: str) -> bool:
        if scheme.lower() == "https" and authority.lower() in INTUIT_HOSTS:
            return True
        if self.environment == "production":
            return False
        return is_loopback(host.strip("[]")) or authority.lower() in self.allowed_hosts


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, by its name alone: none is looked up."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
