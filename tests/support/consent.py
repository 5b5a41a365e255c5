"""Somebody in front of QuickBooks' consent page."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import requests


def decide(consent_url: str, realm_id: str = "", *, decision: str = "connect") -> str:
    """
    Choose a company on the sandbox's consent page, or cancel.

    :return: the address that the browser is sent back to.
    """
    page = requests.get(consent_url, timeout=30)
    assert page.status_code == 200, page.text
    answer = requests.post(
        consent_url, data={"realm_id": realm_id, "decision": decision}, allow_redirects=False, timeout=30
    )
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def query_of(url: str) -> dict[str, str]:
    """Return the query of an address."""
    return dict(parse_qsl(urlsplit(url).query))
