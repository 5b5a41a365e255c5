"""Lets the sandbox break the connection of a request, as networks do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.responses import Response
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

# What the counts show for a request that got no answer; nginx logs the same number for a lost client.
NO_ANSWER = 499
_open: dict[tuple[str, int], asyncio.Transport] = {}


class TrackedProtocol(H11Protocol):
    """uvicorn's protocol; it also remembers the transport of each client."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Remember a new connection."""
        super().connection_made(transport)
        if self.client is not None:
            _open[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a closed connection."""
        if self.client is not None:
            _open.pop(self.client, None)
        super().connection_lost(exc)


async def reset(request: Request) -> Response:
    """Reset the connection of a request; the response that is returned goes nowhere."""
    transport = _transport(request.scope)
    if transport is not None:
        transport.abort()
        await asyncio.sleep(0)
    return Response(status_code=NO_ANSWER)


def _transport(scope: Scope) -> asyncio.Transport | None:
    client = scope.get("client")
    return _open.get((client[0], client[1])) if client else None


class TruncatedResponse(Response):
    """Announces a whole body, sends half of it and closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = self.body[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        transport = _transport(scope)
        if transport is not None:
            transport.close()
            await asyncio.sleep(0)
