"""QuickBooks tokens in Postgres: encrypted, and refreshed by one process at a time."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from psycopg.rows import class_row

from include.errors import (
    ConfigurationError,
    NoTokenError,
    ReauthorizeError,
    ReceivablesError,
    RetryableError,
)
from include.quickbooks.oauth import INVALID_GRANT
from include.receivables.company.companies import mark_reauthorize
from include.sql import load

if TYPE_CHECKING:
    from psycopg import Connection

    from include.quickbooks.oauth import OAuthApp, Tokens
    from include.receivables.company.side_connection import SideConnection

logger = logging.getLogger(__name__)

# An access token is good for an hour; one with less than this left is renewed before it is used.
MARGIN = timedelta(minutes=5)
# How long a process trusts a token it has read; well below the margin.
TRUSTED = timedelta(minutes=2)
# How long after QuickBooks refused a refresh token it is tried once more, before that is believed: less than a cycle,
# so that the next one does, a little sooner or later.
REFUSAL_PAUSE = timedelta(minutes=4)


class TokenCipher:
    """
    Encrypts tokens at rest.

    :param fernet_keys: Airflow's Fernet keys, separated by commas: the first encrypts, all decrypt.
    :raises ConfigurationError: when there is no key or it is none.
    """

    def __init__(self, fernet_keys: str) -> None:
        keys = [key.strip() for key in fernet_keys.split(",") if key.strip()]
        if not keys:
            raise ConfigurationError("Tokens cannot be stored without a key: set AIRFLOW__CORE__FERNET_KEY.")
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as error:
            raise ConfigurationError(
                "AIRFLOW__CORE__FERNET_KEY is no Fernet key: use 32 bytes in URL-safe base64."
            ) from error

    def encrypt(self, token: str) -> str:
        """Encrypt a token."""
        return self._fernet.encrypt(token.encode()).decode()

    def decrypt(self, encrypted: str) -> str:
        """
        Decrypt a token.

        :raises ConfigurationError: when it was encrypted with a key that is not at hand.
        """
        try:
            return self._fernet.decrypt(encrypted.encode()).decode()
        except InvalidToken as error:
            raise ConfigurationError(
                "The stored tokens were encrypted with another key: restore it in AIRFLOW__CORE__FERNET_KEY."
            ) from error

    def rotate(self, encrypted: str) -> str:
        """
        Encrypt with the first key what was encrypted with any.

        :raises ConfigurationError: when it was encrypted with a key that is not at hand.
        """
        return self.encrypt(self.decrypt(encrypted))

    def encrypt_tokens(self, tokens: Tokens) -> dict[str, Any]:
        """Return tokens as the parameters of ``sync/save_tokens``."""
        hard = tokens.refresh_hard_expires_in
        return {
            "access_token": self.encrypt(tokens.access_token),
            "refresh_token": self.encrypt(tokens.refresh_token),
            "expires_in": timedelta(seconds=tokens.expires_in),
            "refresh_expires_in": timedelta(seconds=tokens.refresh_expires_in),
            "refresh_hard_expires_in": None if hard is None else timedelta(seconds=hard),
        }


@dataclass(frozen=True, slots=True)
class _StoredTokens:
    """
    A row of ``sync/read_tokens``: the tokens as they are kept, encrypted.

    :param is_fresh: whether the access token is good for the margin, and so need not be renewed.
    :param is_usable: whether it is good for as long as a process trusts it.
    :param retry_at: when to use the refresh token once more that QuickBooks refused; None if it did not.
    :param is_refused: whether that moment is still to come.
    """

    realm_id: str
    status: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    is_fresh: bool
    is_usable: bool
    last_error: str | None
    retry_at: datetime | None
    is_refused: bool


class CompanyTokens:
    """
    One company's access tokens, for :class:`include.quickbooks.client.QuickBooksClient`.

    A refresh holds the row of the connection locked, so that of any number of processes one asks Intuit and the
    others find the answer: Intuit takes a second use of a refresh token for abuse and ends the connection. The new
    refresh token is committed before the access token is used.

    Whatever the token endpoint answers, the refresh token stays until another one takes its place. QuickBooks has to
    refuse it twice, with a pause between and no success, before the company is said to need a new connection: the first
    refusal may be the echo of an answer that was lost, or an outage of Intuit's.

    :param company_id: Peakflo's id of the company.
    :param realm_id: the QuickBooks company whose books are worked on; the tokens of another one do not open them.
    :param side: a connection of its own, never inside a transaction of the sync.
    :param margin: an access token with less than this left is renewed before it is used.
    """

    def __init__(
        self,
        company_id: str,
        realm_id: str,
        *,
        side: SideConnection,
        app: OAuthApp,
        cipher: TokenCipher,
        margin: timedelta = MARGIN,
    ) -> None:
        self._company_id = company_id
        self._realm_id = realm_id
        self._side = side
        self._app = app
        self._cipher = cipher
        self._margin = margin
        self._token = ""
        self._trusted_until = 0.0

    def current(self) -> str:
        """
        Return an access token that is good for some minutes more.

        :raises ReauthorizeError: when the company has to be connected again.
        :raises NoTokenError: when QuickBooks gives none for now.
        """
        if time.monotonic() < self._trusted_until:
            return self._token
        with self._side.use() as db:
            row = self._read(db, "sync/read_tokens")
            token = self._cipher.decrypt(row.access_token) if row.is_fresh else self._refresh_ahead(db, row)
        return self._trust(token)

    def renew(self, rejected: str) -> str:
        """
        Return another access token than the one QuickBooks just rejected.

        :raises ReauthorizeError: when the company has to be connected again.
        :raises NoTokenError: when QuickBooks gives none for now.
        """
        with self._side.use() as db:
            return self._trust(self._refresh(db, rejected=rejected))

    def _trust(self, token: str) -> str:
        self._token = token
        self._trusted_until = time.monotonic() + TRUSTED.total_seconds()
        return token

    def _refresh_ahead(self, db: Connection, row: _StoredTokens) -> str:
        """Refresh tokens of which the access token will expire soon; if none come, the rest of its life is used."""
        try:
            return self._refresh(db, rejected=None)
        except NoTokenError as error:
            if not row.is_usable:
                raise
            logger.warning("Company %s goes on with its old access token: %s", self._company_id, error)
            return self._cipher.decrypt(row.access_token)

    def _refresh(self, db: Connection, *, rejected: str | None) -> str:
        """Refresh the tokens, unless another process did while this one waited for the lock."""
        refusal: ReceivablesError | None = None
        with db.transaction():
            row = self._read(db, "sync/lock_tokens")
            if row.is_fresh and (token := self._cipher.decrypt(row.access_token)) != rejected:
                return token
            if row.retry_at is not None and row.is_refused:
                raise _refused_once(row.retry_at)
            try:
                tokens = self._app.refresh(self._cipher.decrypt(row.refresh_token))
            except ReauthorizeError as error:
                refusal = self._record_refusal(db, row, error)
            except RetryableError as error:
                raise NoTokenError(f"There is no new access token: {error}") from error
            else:
                db.execute(load("sync/save_tokens"), self._keys | self._cipher.encrypt_tokens(tokens))
                logger.info("Refreshed the tokens of company %s, realm %s.", self._company_id, row.realm_id)
        # Raised only now, so that the state it leaves behind is committed.
        if refusal is not None:
            raise refusal
        return tokens.access_token

    def _record_refusal(
        self, db: Connection, row: _StoredTokens, error: ReauthorizeError
    ) -> ReceivablesError:
        """Keep a first refusal in mind, believe the second one, and return what to say of it."""
        if row.retry_at is not None:
            mark_reauthorize(db, company_id=self._company_id, realm_id=self._realm_id, error=error)
            return error
        marked = db.execute(load("sync/mark_refused"), self._keys | {"pause": REFUSAL_PAUSE}).fetchone()
        return error if marked is None else _refused_once(marked[0])

    @property
    def _keys(self) -> dict[str, str]:
        return {"company_id": self._company_id, "realm_id": self._realm_id}

    def _read(self, db: Connection, statement: str) -> _StoredTokens:
        keys = {
            "company_id": self._company_id,
            "margin": self._margin,
            "trusted": TRUSTED,
            "pause": REFUSAL_PAUSE,
        }
        with db.cursor(row_factory=class_row(_StoredTokens)) as cursor:
            row = cursor.execute(load(statement), keys).fetchone()
        if row is None or row.refresh_token is None:
            raise ReauthorizeError(
                f"Company {self._company_id!r} is not connected to QuickBooks: connect it again."
            )
        if row.realm_id != self._realm_id:
            raise ConfigurationError(
                f"Company {self._company_id!r} is connected to QuickBooks company {row.realm_id} now, no longer to "
                f"{self._realm_id}: what was begun there ends here, and the next run works on the new one."
            )
        if row.status == "reauthorize":
            raise ReauthorizeError(
                row.last_error or f"Company {self._company_id!r} has to be connected again."
            )
        return row


def _refused_once(retry_at: datetime) -> NoTokenError:
    """Say that a refusal is not believed yet, under the code of the one that is: it is the same problem."""
    return NoTokenError(
        "QuickBooks refused the company's refresh token once; it is tried again at "
        f"{retry_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC.",
        code=INVALID_GRANT,
    )
