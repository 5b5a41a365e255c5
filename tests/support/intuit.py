"""Delivers webhooks as Intuit does, to an app in this process."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from base64 import b64encode
from typing import TYPE_CHECKING

import httpx

from tests.support.airflow_settings import VERIFIER_TOKEN

if TYPE_CHECKING:
    from fastapi import FastAPI


def deliver(app: FastAPI, token: str = VERIFIER_TOKEN, body: bytes = b"[]") -> httpx.Response:
    """Deliver a body, signed with a token."""
    [answer] = deliver_at_once(app, [body], token)
    return answer


def deliver_at_once(app: FastAPI, bodies: list[bytes], token: str = VERIFIER_TOKEN) -> list[httpx.Response]:
    """Deliver some bodies, signed with a token."""
    return post_at_once(app, [(body, {"intuit-signature": sign(body, token)}) for body in bodies])


def post_at_once(app: FastAPI, posts: list[tuple[bytes, dict[str, str]]]) -> list[httpx.Response]:
    """Post all to a server that begins and ends with that."""

    async def post_all() -> list[httpx.Response]:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://airflow")
        async with app.router.lifespan_context(app), client:
            sent = [client.post("/webhook", content=body, headers=headers) for body, headers in posts]
            return await asyncio.gather(*sent)

    return asyncio.run(post_all())


def sign(body: bytes, token: str) -> str:
    """Return the signature of a body."""
    return b64encode(hmac.new(token.encode(), body, hashlib.sha256).digest()).decode()
