from __future__ import annotations

import traceback

import pytest
import requests

from include.errors import ConfigurationError, UnreachableError
from include.quickbooks import transport
from tests.include.quickbooks.raw_server import Answer

TIMEOUT = (1.0, 1.0)


@pytest.fixture
def session():
    with requests.Session() as session:
        yield session


def test_a_redirect_is_an_answer_and_is_not_followed(server, session):
    server.answer(Answer(302, headers={"Location": f"{server.url}/login"}))

    assert transport.send(session, "GET", server.url, timeout=TIMEOUT).status_code == 302
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("answer", "name"),
    [(Answer(is_reset=True), "ConnectionError"), (Answer(body="{", length=99), "ChunkedEncodingError")],
)
def test_a_broken_answer_is_no_answer(server, session, answer, name):
    server.answer(answer)

    with pytest.raises(UnreachableError, match=name):
        transport.send(session, "POST", server.url, timeout=TIMEOUT, data=b"x")
    assert len(server.received) == 1


@pytest.mark.parametrize("url", ["http://", "nowhere", "http://exa mple:99999/"])
def test_an_address_that_is_none_is_a_matter_of_settings(session, url):
    with pytest.raises(ConfigurationError, match="check its address"):
        transport.send(session, "GET", url, timeout=TIMEOUT)


@pytest.mark.parametrize("token", ["line\nbreak-secret", "snowman-☃-secret"])
def test_a_token_that_no_header_can_hold_does_not_show(server, session, token):
    server.answer(Answer())

    with pytest.raises(ConfigurationError) as caught:
        transport.send(
            session, "GET", server.url, timeout=TIMEOUT, headers={"Authorization": f"Bearer {token}"}
        )

    assert "secret" not in "".join(traceback.format_exception(caught.value))
