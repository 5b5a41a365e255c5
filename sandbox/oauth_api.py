"""The HTTP side of OAuth: discovery, tokens, revocation, the user and the signing keys."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec
from starlette.responses import JSONResponse, Response

from sandbox import accounting_api, connections
from sandbox.injection import AFTERWARDS, Call, Rule
from sandbox.oauth import AccessDeniedError, OAuthError
from sandbox.openid import Signer

if TYPE_CHECKING:
    from starlette.requests import Request

    from sandbox.sandbox import Sandbox

_HARD_EXPIRY = "x-include-refresh-token-hard-expires-in"
USER = {
    "sub": "5f5dc3a8-6d1c-4f1e-9b7e-0a4d5c2b9e10",
    "givenName": "Sandra",
    "familyName": "Box",
    "email": "sandra@example.com",
    "emailVerified": True,
}


class OAuthApi:
    """
    Answers everything but the consent page.

    :param sandbox: the state.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._signer = Signer()

    async def discovery(self, request: Request) -> Response:
        """``/.well-known/openid_sandbox_configuration``: where everything is."""
        base = str(request.base_url).rstrip("/")
        return JSONResponse(
            {
                "issuer": f"{base}/op/v1",
                "authorization_endpoint": f"{base}/connect/oauth2",
                "token_endpoint": f"{base}/oauth2/v1/tokens/bearer",
                "userinfo_endpoint": f"{base}/v1/openid_connect/userinfo",
                "revocation_endpoint": f"{base}/v2/oauth2/tokens/revoke",
                "jwks_uri": f"{base}/op/v1/jwks",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "email", "profile", "address", "phone"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
                "claims_supported": ["aud", "exp", "iat", "iss", "realmid", "sub"],
            }
        )

    async def tokens(self, request: Request) -> Response:
        """``POST /oauth2/v1/tokens/bearer``: exchanges a code or a refresh token."""
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        rule = self._sandbox.injector.pick(Call(self._realm_of(form), "token", "", request.method))
        await asyncio.sleep(rule.seconds if rule is not None and rule.kind in ("timeout", "slow") else 0)
        if rule is not None and rule.kind not in (*AFTERWARDS, "slow"):
            return await self._injected(request, rule)
        answered = self._exchanged(request, form)
        if rule is not None and rule.kind == "lost_answer":
            return await connections.reset(request)
        if rule is not None and rule.kind == "truncated":
            return connections.TruncatedResponse(answered.body, answered.status_code)
        if rule is not None and rule.kind == "malformed_json":
            return Response(bytes(answered.body).replace(b'":', b'"=', 1), answered.status_code)
        return answered

    def _realm_of(self, form: dict[str, str]) -> str:
        token = self._sandbox.oauth.tokens.get(form.get("refresh_token") or form.get("code", ""))
        return "" if token is None else token.realm_id

    async def _injected(self, request: Request, rule: Rule) -> Response:
        if rule.kind in ("timeout", "reset"):
            return await connections.reset(request)
        if rule.kind == "503_html":
            return Response(accounting_api.UNAVAILABLE, 503, media_type="text/html")
        errors = {
            "429": OAuthError("too_many_requests", status=429),
            "401": OAuthError("invalid_client", status=401),
            "403_3100": OAuthError("access_denied", status=403),
            "token_error": OAuthError(rule.error),
        }
        response = _refused(errors.get(rule.kind, OAuthError("server_error", status=500)))
        if rule.retry_after is not None:
            response.headers["Retry-After"] = str(rule.retry_after)
        return response

    def _exchanged(self, request: Request, form: dict[str, str]) -> Response:
        oauth = self._sandbox.oauth
        kind = form.get("grant_type", "")
        oauth.count(kind or "unknown")
        try:
            self._check_client(request, form)
            if kind == "authorization_code":
                pair = oauth.exchange(form.get("code", ""), form.get("redirect_uri", ""))
            elif kind == "refresh_token":
                pair = oauth.refresh(form.get("refresh_token", ""))
            else:
                raise OAuthError("unsupported_grant_type")
        except OAuthError as error:
            oauth.count(error.body["error"])
            self._sandbox.storage.save_tokens(oauth)
            return _refused(error)
        body = oauth.answer(pair, with_hard_expiry=request.headers.get(_HARD_EXPIRY, "").lower() == "true")
        if kind == "authorization_code" and "openid" in pair.access.scope.split():
            body["id_token"] = self._id_token(request, pair.access.realm_id)
        self._sandbox.storage.save_tokens(oauth)
        return JSONResponse(body, headers={"Cache-Control": "no-cache, no-store"})

    def _check_client(self, request: Request, form: dict[str, str]) -> None:
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        client_id, client_secret = form.get("client_id", ""), form.get("client_secret", "")
        if scheme.lower() == "basic":
            try:
                client_id, _, client_secret = b64decode(encoded).decode().partition(":")
            except ValueError:
                raise OAuthError("invalid_client", status=401) from None
        self._sandbox.oauth.check_client(client_id, client_secret)

    def _id_token(self, request: Request, realm_id: str) -> str:
        now = int(self._sandbox.clock.now())
        return self._signer.sign(
            {
                "iss": f"{str(request.base_url).rstrip('/')}/op/v1",
                "sub": USER["sub"],
                "aud": [self._sandbox.oauth.client_id],
                "realmid": realm_id,
                "iat": now,
                "auth_time": now,
                "exp": now + 3600,
            }
        )

    async def revoke(self, request: Request) -> Response:
        """``POST /v2/oauth2/tokens/revoke``: ends the connection of a token."""
        oauth = self._sandbox.oauth
        oauth.count("revoke")
        try:
            body = _token_body(await request.body())
            self._check_client(request, body)
            oauth.revoke(body.get("token", ""))
        except OAuthError as error:
            return _refused(error)
        self._sandbox.storage.save_tokens(oauth)
        return Response(status_code=200)

    async def userinfo(self, request: Request) -> Response:
        """``GET /v1/openid_connect/userinfo``: who has consented."""
        token = request.headers.get("authorization", "").partition(" ")[2].strip()
        try:
            self._sandbox.oauth.check_access(token)
        except AccessDeniedError:
            return _refused(OAuthError("invalid_token", status=401))
        return JSONResponse(USER)

    async def keys(self, _request: Request) -> Response:
        """``GET /op/v1/jwks``: the keys that sign id tokens."""
        return JSONResponse({"keys": [self._signer.public_key()]})


def _token_body(body: bytes) -> dict[str, Any]:
    """Read a revocation, which clients send as JSON or as a form."""
    try:
        return msgspec.json.decode(body, type=dict[str, str])
    except msgspec.MsgspecError:
        return dict(parse_qsl(body.decode("utf-8", "replace")))


def _refused(error: OAuthError) -> Response:
    return JSONResponse(error.body, error.status)
