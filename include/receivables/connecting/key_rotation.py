"""Tokens under a new key: what was encrypted with an earlier one is encrypted with the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg.types.json import Jsonb

from include.receivables.company.companies import list_companies
from include.sql import load

if TYPE_CHECKING:
    from psycopg import Connection

    from include.receivables.company.tokens import TokenCipher


def rotate_keys(db: Connection, cipher: TokenCipher) -> int:
    """
    Encrypt the tokens of all companies with the first key; afterwards, the others are needed no more.

    Each company is a transaction of its own, in which nobody else replaces its tokens.

    :return: how many companies have tokens.
    :raises ConfigurationError: when tokens were encrypted with a key that is not at hand; those before are done.
    """
    return sum(_rotate(db, cipher, str(company["company_id"])) for company in list_companies(db))


def _rotate(db: Connection, cipher: TokenCipher, company_id: str) -> bool:
    keys = {"company_id": company_id}
    with db.transaction():
        stored = db.execute(load("sync/lock_stored_tokens"), keys).fetchone()
        if stored is None:
            return False
        access_token, refresh_token = (token and cipher.rotate(token) for token in stored)
        tokens = {"access_token": access_token, "refresh_token": refresh_token}
        db.execute(load("sync/replace_stored_tokens"), keys | tokens)
        act = {"act": "keys.rotate", "outcome": "done", "facts": Jsonb({})}
        db.execute(load("sync/note_act"), keys | act)
    return True
