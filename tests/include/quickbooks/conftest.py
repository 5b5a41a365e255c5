from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from include.quickbooks.client import QuickBooksClient
from tests.include.quickbooks.listed_tokens import ListedTokens
from tests.include.quickbooks.raw_server import RawServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[RawServer]:
    with RawServer() as server:
        yield server


@pytest.fixture
def tokens() -> ListedTokens:
    return ListedTokens("first-access-token", "second-access-token", "third-access-token")


@pytest.fixture
def client(server: RawServer, tokens: ListedTokens) -> Iterator[QuickBooksClient]:
    with QuickBooksClient(api_url=server.url, realm_id="4620816365", tokens=tokens) as client:
        yield client
