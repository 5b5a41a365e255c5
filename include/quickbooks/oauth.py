"""Connects a company: Intuit's OAuth 2.0, from the consent page to the revocation of tokens."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
import requests

from include.errors import (
    ConfigurationError,
    ReauthorizeError,
    ReceivablesError,
    ThrottledError,
    UnreachableError,
)
from include.quickbooks import transport
from include.quickbooks.addresses import Addresses
from include.quickbooks.faults import Fault, error_for, raise_for_answer, raise_for_fault, redact

log = logging.getLogger(__name__)

# Intuit: the only accounting scope, for reading and writing.
SCOPE = "com.intuit.quickbooks.accounting"
TIMEOUT = (3.05, 30.0)
# None that Intuit has ever given.
NO_REFRESH_TOKEN = "none-of-any-company"  # noqa: S105
# The only answer that speaks of the grant itself: OAuth names it so, whatever else may fail.
INVALID_GRANT = "invalid_grant"


class Endpoints(msgspec.Struct, frozen=True):
    """Where Intuit's OAuth lives, as its discovery document says."""

    authorize: str = msgspec.field(name="authorization_endpoint")
    token: str = msgspec.field(name="token_endpoint")
    revocation: str = msgspec.field(name="revocation_endpoint")


# What both of Intuit's discovery documents say, production and sandbox: spares a call at every start.
INTUIT = Endpoints(
    authorize="https://appcenter.intuit.com/connect/oauth2",
    token="https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer",  # noqa: S106 - an address
    revocation="https://developer.api.intuit.com/v2/oauth2/tokens/revoke",
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """
    What Intuit gives for a code or a refresh token; printing it shows no secret.

    Intuit: the refresh token replaces the one before, also when it looks the same.

    :param expires_in: seconds until the access token expires.
    :param refresh_expires_in: seconds until the refresh token expires; each refresh starts them anew.
    :param refresh_hard_expires_in: seconds until a person has to connect again, whatever is refreshed.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
    refresh_expires_in: int
    refresh_hard_expires_in: int | None = None
    intuit_tid: str | None = None


_Secret = Annotated[str, msgspec.Meta(min_length=1)]
_Seconds = Annotated[int, msgspec.Meta(gt=0)]


class _TokenAnswer(msgspec.Struct):
    access_token: _Secret
    refresh_token: _Secret
    expires_in: _Seconds
    refresh_expires_in: _Seconds = msgspec.field(name="x_refresh_token_expires_in")
    refresh_hard_expires_in: int | None = msgspec.field(default=None, name="x_refresh_token_hard_expires_in")


_token_answer = msgspec.json.Decoder(_TokenAnswer, strict=False)


class OAuthApp:
    """
    The app that companies connect to, as registered with Intuit.

    No request is repeated: a code and a refresh token are single use, and Intuit may take a second use for
    abuse and disconnect the company.

    :param environment: ``production`` or ``sandbox``; which of the app's two key pairs the id and secret are.
    :param redirect_uri: where Intuit sends the person back to, exactly as registered with the app.
    :param discovery_url: the discovery document to use in place of Intuit's.
    :param allowed_hosts: see :class:`include.quickbooks.addresses.Addresses`.
    :raises ConfigurationError: if a setting is missing or unknown, or the document's address may not be asked.
    """

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        *,
        redirect_uri: str,
        environment: str = "production",
        discovery_url: str | None = None,
        allowed_hosts: frozenset[str] = frozenset(),
    ) -> None:
        self._addresses = Addresses(environment, allowed_hosts)
        if not (client_id and client_secret):
            raise ConfigurationError(
                "The app's client id or secret is missing: copy both from its keys page at Intuit."
            )
        self.environment = environment
        self._credentials = (client_id, client_secret)
        self._redirect_uri = redirect_uri
        self._discovery_url = self._addresses.override("discovery_url", discovery_url)

    @property
    def endpoints(self) -> Endpoints:
        """
        Where to send people and requests.

        :raises UnreachableError: if the discovery document does not answer.
        :raises ConfigurationError: if what it names may not be told anything secret.
        """
        if not self._discovery_url:
            return INTUIT
        endpoints = discover(self._discovery_url)
        for name, url in msgspec.to_builtins(endpoints).items():
            self._addresses.check(f"the {name} of the discovery document", url)
        return endpoints

    def authorize_url(self, state: str) -> str:
        """
        Build the address of the page where a person lets the app into their company.

        :param state: comes back with the code; has to be unguessable, and to be compared there.
        """
        query = {
            "client_id": self._credentials[0],
            "response_type": "code",
            "scope": SCOPE,
            "redirect_uri": self._redirect_uri,
            "state": state,
        }
        return f"{self.endpoints.authorize}?{urlencode(query)}"

    def exchange(self, code: str) -> Tokens:
        """
        Exchange the code that came back from the consent page for the first tokens.

        :raises ReauthorizeError: if the code has expired or was used before.
        """
        return self._ask_for_tokens("authorization_code", code=code, redirect_uri=self._redirect_uri)

    def refresh(self, refresh_token: str) -> Tokens:
        """
        Exchange a refresh token for the next tokens; the one given must not be used again.

        :raises ReauthorizeError: if QuickBooks no longer accepts it: only a person can connect again.
        :raises RetryableError: if there was no usable answer; the one given may still be good.
        """
        return self._ask_for_tokens("refresh_token", refresh_token=refresh_token)

    def revoke(self, token: str) -> None:
        """Disconnect a company by its refresh token; one that is no longer valid is as good as revoked."""
        response = self._post(self.endpoints.revocation, json={"token": token})
        if response.status_code == HTTPStatus.BAD_REQUEST:
            log.info("QuickBooks had no such token to revoke, intuit_tid %s", _tid(response))
            return
        self._raise_for_refusal(response, token)

    def check_client(self) -> None:
        """
        Make sure that Intuit knows the app by its client id and secret, without touching any company's connection.

        Intuit looks at these first: it answers ``invalid_client`` to wrong ones, and ``invalid_grant`` to right ones
        that come with a refresh token which never was.

        :raises ConfigurationError: if it does not know them.
        :raises RetryableError: if there was no usable answer.
        """
        try:
            self.refresh(NO_REFRESH_TOKEN)
        except ReauthorizeError:
            return
        raise ConfigurationError(
            "The address that was asked gives tokens for a refresh token that never was: check discovery_url."
        )

    def _ask_for_tokens(self, grant_type: str, **form: str) -> Tokens:
        # Intuit: without this header the answer does not say when a person has to connect again.
        headers = {"x-include-refresh-token-hard-expires-in": "true"}
        response = self._post(self.endpoints.token, data={"grant_type": grant_type, **form}, headers=headers)
        self._raise_for_refusal(response, *form.values())
        return _read_tokens(response)

    def _post(self, url: str, *, headers: dict[str, str] | None = None, **body: Any) -> requests.Response:
        with requests.Session() as session:
            return transport.send(
                session,
                "POST",
                url,
                timeout=TIMEOUT,
                auth=self._credentials,
                headers={"Accept": "application/json", **(headers or {})},
                **body,
            )

    def _raise_for_refusal(self, response: requests.Response, *secrets: str) -> None:
        """
        Raise what a refusal means; Intuit has refused a grant with a success status, too.

        What neither blames the grant nor the app's settings passes: it tells nothing of the tokens.
        """
        hidden = (self._credentials[1], *secrets)
        try:
            raise_for_answer(response, secrets=hidden)
            raise_for_fault(response, secrets=hidden)
        except (ConfigurationError, UnreachableError, ThrottledError):
            raise
        except ReceivablesError as error:
            if error.code == INVALID_GRANT:
                raise
            if response.status_code == HTTPStatus.UNAUTHORIZED:
                raise error_for(response, Fault("invalid_client", ""), secrets=hidden) from None
            raise UnreachableError(
                f"QuickBooks gives no tokens and does not say why ({redact(error.code, hidden)}): the ones before "
                "stay, try again later.",
                intuit_tid=error.intuit_tid,
            ) from None


@cache
def discover(url: str) -> Endpoints:
    """
    Read a discovery document, once per process.

    :raises ConfigurationError: if what the address answers is none.
    """
    with requests.Session() as session:
        response = transport.send(
            session, "GET", url, timeout=TIMEOUT, headers={"Accept": "application/json"}
        )
    raise_for_answer(response)
    try:
        return msgspec.json.decode(response.content, type=Endpoints)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"discovery_url does not answer with a discovery document: {error}."
        ) from None


def _read_tokens(response: requests.Response) -> Tokens:
    """Read tokens, all or none: half an answer must not replace the tokens that are stored."""
    try:
        answer = _token_answer.decode(response.content)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreachableError(
            f"QuickBooks' answer holds no tokens ({error}): the ones before stay, try again later.",
            intuit_tid=_tid(response),
        ) from None
    return Tokens(
        access_token=answer.access_token,
        refresh_token=answer.refresh_token,
        expires_in=answer.expires_in,
        refresh_expires_in=answer.refresh_expires_in,
        refresh_hard_expires_in=answer.refresh_hard_expires_in,
        intuit_tid=_tid(response),
    )


def _tid(response: requests.Response) -> str | None:
    return response.headers.get("intuit_tid")
