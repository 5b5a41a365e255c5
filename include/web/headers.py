"""What every answer carries, and how much a request may."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.datastructures import MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 1024 * 1024
POLICY = (
    "default-src 'self'; base-uri 'none'; frame-ancestors 'self'; frame-src 'none'; img-src 'self' data:; "
    "object-src 'none'; form-action 'self'"
)


class SecurityHeaders:
    """
    Tell browsers what the pages may do: nothing but what comes from this site, in no frame but Airflow's.

    :param app: whose answers are meant.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add(scope, message["status"], MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, send_with_headers)

    @staticmethod
    def _add(scope: Scope, status: int, headers: MutableHeaders) -> None:
        target = urlsplit(scope.get("state", {}).get("form_target", ""))
        headers["Content-Security-Policy"] = (
            f"{POLICY} {target.scheme}://{target.netloc}" if target.netloc else POLICY
        )
        headers["X-Content-Type-Options"] = "nosniff"
        # A form of ours has to say its origin, which "no-referrer" would hide.
        headers["Referrer-Policy"] = "same-origin"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        is_static = scope["path"].startswith(f"{scope['pages_path']}/static/")
        may_be_kept = is_static and status in (200, 304)
        headers["Cache-Control"] = "public, max-age=86400" if may_be_kept else "no-store"


class BodyLimit:
    """
    Stop reading a request that is larger than any of ours.

    :param app: what reads the requests.
    :param but: the path of what has a limit of its own.
    """

    def __init__(self, app: ASGIApp, but: str) -> None:
        self._app = app
        self._but = but

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http" and scope["path"] == scope["pages_path"] + self._but:
            await self._app(scope, receive, send)
            return
        read = 0

        async def receive_at_most() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > MOST_BYTES:
                raise HTTPException(413, f"The request is larger than {MOST_BYTES // 1024} KiB.")
            return message

        await self._app(scope, receive_at_most, send)
