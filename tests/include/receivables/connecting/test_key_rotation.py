"""Tokens under a new key: the earlier one is needed no more, whoever is at work meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import Fernet

from include.errors import ConfigurationError
from include.receivables.company.tokens import TokenCipher
from include.receivables.connecting.key_rotation import rotate_keys
from tests.support.airflow_settings import FERNET_KEY
from tests.support.rows import audited

if TYPE_CHECKING:
    from tests.support.workbench import Workbench


def test_after_a_rotation_the_new_key_is_enough_and_the_old_one_opens_nothing(bench: Workbench):
    companies = [bench.connect() for _ in range(3)]
    new = Fernet.generate_key().decode()

    with bench.access.connect() as db:
        assert rotate_keys(db, TokenCipher(f"{new},{FERNET_KEY}")) == 3

    for (token,) in bench.db.execute("select refresh_token from sync.connection").fetchall():
        assert TokenCipher(new).decrypt(token)
        with pytest.raises(ConfigurationError, match="encrypted with another key"):
            TokenCipher(FERNET_KEY).decrypt(token)
    bench.access = replace(bench.access, cipher=TokenCipher(new))
    for company in companies:
        assert bench.import_all(company).company_id == company.company_id
    assert len(audited(bench.db, "keys.rotate")) == 3


def test_without_the_old_key_nothing_is_changed_and_it_is_said(bench: Workbench):
    bench.connect()
    stored = "select access_token, refresh_token from sync.connection"
    before = bench.db.execute(stored).fetchall()
    with bench.access.connect() as db, pytest.raises(ConfigurationError, match="encrypted with another key"):
        rotate_keys(db, TokenCipher(Fernet.generate_key().decode()))
    assert bench.db.execute(stored).fetchall() == before
    assert audited(bench.db, "keys.rotate") == []


def test_a_company_without_tokens_is_passed_over(bench: Workbench):
    bench.connect()
    bench.db.execute("update sync.connection set access_token = null, refresh_token = null")
    with bench.access.connect() as db:
        assert rotate_keys(db, bench.access.cipher) == 0
