"""Intuit's OAuth 2.0: single-use codes, access tokens of an hour, refresh tokens that rotate."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

if TYPE_CHECKING:
    from sandbox.clock import Clock
    from sandbox.settings import SettingsBook

CODE_SECONDS = 300
# Intuit, 2025-11-12: a connection ends five years after the consent.
HARD_LIFE_SECONDS = 157_680_000
RACE_SECONDS = 60
SCOPE = "com.intuit.quickbooks.accounting"


class OAuthError(Exception):
    """
    An answer that refuses a token request.

    :param error: OAuth's error code.
    :param description: Intuit's text.
    :param status: the HTTP status.
    """

    def __init__(self, error: str, description: str = "", status: int = 400) -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error}
        if description:
            self.body["error_description"] = description


class AccessDeniedError(Exception):
    """
    An access token that opens nothing, or not this company.

    :param detail: Intuit's text.
    :param is_wrong_company: the token is good but for another company.
    """

    def __init__(self, detail: str, *, is_wrong_company: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.is_wrong_company = is_wrong_company


class Token(msgspec.Struct):
    """
    A code, an access token or a refresh token.

    :param grant: the consent that it comes from.
    :param used_at: when a code or a refresh token was used up.
    """

    value: str
    kind: Literal["code", "access", "refresh"]
    grant: str
    realm_id: str
    scope: str
    expires_at: float
    hard_expires_at: float
    redirect_uri: str = ""
    used_at: float | None = None
    is_revoked: bool = False


class Pair(NamedTuple):
    """A new access token and the refresh token that belongs to it."""

    access: Token
    refresh: Token


class OAuth:
    """
    The authorization server.

    :param clock: the sandbox's time.
    :param settings: what tests may change.
    :param client_id: the app's id.
    :param client_secret: the app's secret.
    """

    def __init__(self, clock: Clock, settings: SettingsBook, client_id: str, client_secret: str) -> None:
        self._clock = clock
        self._settings = settings
        self.client_id = client_id
        self._client_secret = client_secret
        self.tokens: dict[str, Token] = {}
        self.dirty: set[str] = set()
        self.counts: dict[str, int] = {}

    def check_client(self, client_id: str, client_secret: str) -> None:
        """
        Check the app's keys.

        :raises OAuthError: 401 invalid_client.
        """
        is_known = secrets.compare_digest(client_id.encode(), self.client_id.encode())
        if not (is_known and secrets.compare_digest(client_secret.encode(), self._client_secret.encode())):
            raise OAuthError("invalid_client", status=401)

    def consent(self, realm_id: str, redirect_uri: str, scope: str = SCOPE) -> str:
        """Return a code for the company that a user has chosen."""
        return self._issue("code", secrets.token_hex(8), realm_id, scope, redirect_uri=redirect_uri).value

    def grant(self, realm_id: str) -> Pair:
        """Return tokens as if a user had just consented."""
        return self._pair(secrets.token_hex(8), realm_id, SCOPE, self._clock.now() + HARD_LIFE_SECONDS)

    def exchange(self, code: str, redirect_uri: str) -> Pair:
        """
        Exchange a code for tokens.

        :raises OAuthError: invalid_grant; a second use of a code also revokes what the first one got.
        """
        token = self._find(code, "code")
        if token is None or token.is_revoked or token.redirect_uri != redirect_uri:
            raise OAuthError("invalid_grant", "Invalid authorization code")
        if token.used_at is not None:
            self._revoke_grant(token.grant)
            raise OAuthError("invalid_grant", "Invalid authorization code")
        if token.expires_at <= self._clock.now():
            raise OAuthError("invalid_grant", "Invalid authorization code")
        self._use(token)
        return self._pair(token.grant, token.realm_id, token.scope, token.hard_expires_at)

    def refresh(self, value: str) -> Pair:
        """
        Exchange a refresh token for new tokens; it is dead from then on.

        :raises OAuthError: invalid_grant; a race for one token may revoke the connection.
        """
        token = self._find(value, "refresh")
        if token is None or token.is_revoked or self._is_expired(token):
            raise OAuthError("invalid_grant", "Incorrect or invalid refresh token")
        if token.used_at is not None and not self._is_in_grace(token):
            self._punish(token)
            raise OAuthError("invalid_grant", "Incorrect or invalid refresh token")
        if token.used_at is None:
            self._use(token)
        return self._pair(token.grant, token.realm_id, token.scope, token.hard_expires_at)

    def _is_expired(self, token: Token) -> bool:
        return min(token.expires_at, token.hard_expires_at) <= self._clock.now()

    def _is_in_grace(self, token: Token) -> bool:
        grace = self._settings.of(token.realm_id).refresh_grace_seconds
        return token.used_at is not None and self._clock.now() - token.used_at < grace

    def _punish(self, token: Token) -> None:
        """Model a race: Intuit takes two uses at about the same time for abuse and revokes the connection."""
        is_race = token.used_at is not None and self._clock.now() - token.used_at < RACE_SECONDS
        if is_race and self._settings.of(token.realm_id).punish_reuse:
            self._revoke_grant(token.grant)

    def revoke(self, value: str) -> None:
        """
        Revoke a connection by one of its tokens.

        :raises OAuthError: when the token is unknown.
        """
        token = self.tokens.get(value)
        if token is None or token.kind == "code":
            raise OAuthError("invalid_request", "Invalid token")
        self._revoke_grant(token.grant)

    def tokens_of(self, realm_id: str) -> dict[str, Token]:
        """Return all tokens of a company."""
        return {value: token for value, token in self.tokens.items() if token.realm_id == realm_id}

    def replace_tokens(self, realm_id: str, tokens: dict[str, Token]) -> None:
        """Let a company have these tokens and no others."""
        for value in self.tokens_of(realm_id):
            del self.tokens[value]
        self.tokens |= tokens

    def is_connected(self, realm_id: str) -> bool:
        """Tell whether the app is connected to a company."""
        return any(
            token.kind == "refresh"
            and token.realm_id == realm_id
            and token.used_at is None
            and not (token.is_revoked or self._is_expired(token))
            for token in self.tokens.values()
        )

    def revoke_company(self, realm_id: str) -> None:
        """Revoke all connections of a company, as its admin does in QuickBooks."""
        for grant in {token.grant for token in self.tokens.values() if token.realm_id == realm_id}:
            self._revoke_grant(grant)

    def expire_company(self, realm_id: str, kinds: tuple[str, ...]) -> None:
        """Let a company's tokens of some kinds expire now."""
        for token in self.tokens.values():
            if token.realm_id == realm_id and token.kind in kinds:
                token.expires_at = min(token.expires_at, self._clock.now())
                self.dirty.add(token.value)

    def check_access(self, value: str, realm_id: str | None = None) -> Token:
        """
        Check an access token.

        :raises AccessDeniedError: when it opens nothing, or another company.
        """
        token = self._find(value, "access")
        if token is None:
            raise AccessDeniedError("Malformed bearer token: too short or too long")
        if token.is_revoked:
            raise AccessDeniedError(f"Token revoked: {value}")
        if token.expires_at <= self._clock.now():
            raise AccessDeniedError(f"Token expired: {value}")
        if realm_id is not None and token.realm_id != realm_id:
            raise AccessDeniedError("", is_wrong_company=True)
        return token

    def answer(self, pair: Pair, *, with_hard_expiry: bool) -> dict[str, Any]:
        """Return the body that carries new tokens."""
        now = self._clock.now()
        body: dict[str, Any] = {
            "token_type": "bearer",
            "access_token": pair.access.value,
            "expires_in": round(pair.access.expires_at - now),
            "refresh_token": pair.refresh.value,
            "x_refresh_token_expires_in": round(
                min(pair.refresh.expires_at, pair.refresh.hard_expires_at) - now
            ),
        }
        if with_hard_expiry:
            body["x_refresh_token_hard_expires_in"] = round(pair.refresh.hard_expires_at - now)
        return body

    def count(self, what: str) -> None:
        """Count a request of a kind."""
        self.counts[what] = self.counts.get(what, 0) + 1

    def _find(self, value: str, kind: str) -> Token | None:
        token = self.tokens.get(value)
        return token if token is not None and token.kind == kind else None

    def _pair(self, grant: str, realm_id: str, scope: str, hard_expires_at: float) -> Pair:
        return Pair(
            self._issue("access", grant, realm_id, scope, hard_expires_at),
            self._issue("refresh", grant, realm_id, scope, hard_expires_at),
        )

    def _issue(
        self,
        kind: Literal["code", "access", "refresh"],
        grant: str,
        realm_id: str,
        scope: str,
        hard_expires_at: float | None = None,
        redirect_uri: str = "",
    ) -> Token:
        now = self._clock.now()
        settings = self._settings.of(realm_id)
        lives = {
            "code": CODE_SECONDS,
            "access": settings.access_token_seconds,
            "refresh": settings.refresh_token_seconds,
        }
        prefix = {"code": "XAB1", "access": "eyJ", "refresh": "RT1-"}[kind]
        token = Token(
            value=prefix + secrets.token_urlsafe(45),
            kind=kind,
            grant=grant,
            realm_id=realm_id,
            scope=scope,
            expires_at=now + lives[kind],
            hard_expires_at=now + HARD_LIFE_SECONDS if hard_expires_at is None else hard_expires_at,
            redirect_uri=redirect_uri,
        )
        self.tokens[token.value] = token
        self.dirty.add(token.value)
        return token

    def _use(self, token: Token) -> None:
        token.used_at = self._clock.now()
        self.dirty.add(token.value)

    def _revoke_grant(self, grant: str) -> None:
        for token in self.tokens.values():
            if token.grant == grant and not token.is_revoked:
                token.is_revoked = True
                self.dirty.add(token.value)
