"""Sends one HTTP request and tells its two failures apart: it cannot be built, or nobody answers."""

from __future__ import annotations

from typing import Any

import requests

from include.errors import ConfigurationError, UnreachableError


def send(
    session: requests.Session, method: str, url: str, *, timeout: tuple[float, float], **request: Any
) -> requests.Response:
    """
    Send one request, once.

    No redirect is followed: QuickBooks sends none, and a proxy's login page is no answer.

    :raises ConfigurationError: if the address or a header is not one that can be sent.
    :raises UnreachableError: if there was no complete answer; the request may still have been carried out.
    """
    try:
        return session.request(method, url, timeout=timeout, allow_redirects=False, **request)
    except ValueError:
        # Without the cause: its text may quote the Authorization header.
        raise ConfigurationError(
            "The request to QuickBooks cannot be built: check its address, or connect the company again."
        ) from None
    except requests.RequestException as error:
        raise UnreachableError(
            f"QuickBooks gave no answer ({type(error).__name__}): check the network and try again."
        ) from error
