"""The sandbox as an ASGI application."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.routing import Route

from sandbox.accounting_api import AccountingApi
from sandbox.consent_page import ConsentPage
from sandbox.control_api import ControlApi
from sandbox.control_guard import ControlGuard
from sandbox.oauth_api import OAuthApi

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from sandbox.sandbox import Sandbox


def build(sandbox: Sandbox, names: frozenset[str] = frozenset()) -> ASGIApp:
    """
    Return the application that serves a sandbox.

    :param names: what this machine is called, besides ``localhost``, by those who may use the control API.
    """
    oauth = OAuthApi(sandbox)
    accounting, consent = AccountingApi(sandbox), ConsentPage(sandbox)
    routes = [
        Route("/.well-known/openid_sandbox_configuration{slash:path}", oauth.discovery),
        Route("/.well-known/openid_configuration{slash:path}", oauth.discovery),
        Route("/connect/oauth2", consent.answer, methods=["GET", "POST"]),
        Route("/oauth2/v1/tokens/bearer", oauth.tokens, methods=["POST"]),
        Route("/v2/oauth2/tokens/revoke", oauth.revoke, methods=["POST"]),
        Route("/v1/openid_connect/userinfo", oauth.userinfo),
        Route("/op/v1/jwks", oauth.keys),
        Route("/v3/company/{realm}/{path:path}", accounting.answer, methods=["GET", "POST"]),
        *ControlApi(sandbox).routes(),
    ]
    return TransactionIds(ControlGuard(Starlette(routes=routes), names))


class TransactionIds:
    """
    Adds ``intuit_tid`` to every answer, which Intuit's support asks for.

    :param app: what answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        transaction_id = f"1-{uuid.uuid4()}"

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["intuit_tid"] = transaction_id
            await send(message)

        await self._app(scope, receive, send_with_id)
