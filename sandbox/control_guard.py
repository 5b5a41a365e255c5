"""Keeps web pages in a developer's browser away from the control API, which asks for no password."""

from __future__ import annotations

import ipaddress
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class ControlGuard:
    """
    Refuses a call of the control API that a page of another site can make.

    Such a page can send a form, but no JSON without asking first, which nothing here allows; and it can have its own
    name lead to this machine, but not call it by another name or by its address.

    :param app: what answers.
    :param names: what this machine is called besides ``localhost`` and its addresses.
    """

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        complaint = self._complaint(scope) if scope["type"] == "http" else None
        if complaint is None:
            await self._app(scope, receive, send)
            return
        status, sentence = complaint
        await JSONResponse({"error": sentence}, status)(scope, receive, send)

    def _complaint(self, scope: Scope) -> tuple[HTTPStatus, str] | None:
        if not scope["path"].startswith("/control"):
            return None
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._is_own(host):
            return HTTPStatus.FORBIDDEN, "The control API answers to this machine's own names only."
        if origin is not None and urlsplit(origin).netloc != host:
            return HTTPStatus.FORBIDDEN, "The control API answers no pages of other sites."
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if scope["method"] not in ("GET", "HEAD") and kind != "application/json":
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The control API takes application/json only."
        return None

    def _is_own(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
            if name == "localhost" or name in self._names:
                return True
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True
