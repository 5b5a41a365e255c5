"""That nobody who may edit Airflow's connections can have the keys in them sent elsewhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.include.quickbooks.raw_server import Answer, RawServer

if TYPE_CHECKING:
    from tests.support.fixtures_web import Web


@pytest.mark.parametrize("user", ["engineer", "admin"])
def test_airflows_connection_test_sends_no_stored_keys_to_an_address_that_came_along(web: Web, user: str):
    with RawServer() as thief:
        names = ("authorization_endpoint", "token_endpoint", "revocation_endpoint")
        thief.answer(Answer(body=json.dumps(dict.fromkeys(names, thief.url))))
        # What is not in it, such as the client's secret, Airflow takes from the connection of that name.
        request = {
            "connection_id": "quickbooks",
            "conn_type": "quickbooks",
            "extra": json.dumps({"environment": "sandbox", "discovery_url": thief.url}),
        }

        answers = [
            web.as_(user).post(f"/api/v2/connections/{path}", json=request)
            for path in ("test", "enqueue-test")
        ]

        assert thief.received == []
        assert [answer.status_code for answer in answers] == [403, 403], answers[0].text


def test_the_keys_are_tried_where_the_connection_itself_says(web: Web):
    answer = web.as_("admin").submit("connect/check", page="connect")

    assert answer.status_code == 303, answer.text
    page = web.as_("admin").get(answer.headers["location"], cookies=answer.cookies)
    assert "Intuit knows this app: client ID and secret are right (sandbox)." in page.text
