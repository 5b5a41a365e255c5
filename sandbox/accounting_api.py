"""The HTTP side of the Accounting API: tokens, limits, injected faults, replays, JSON or XML."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.responses import Response

from sandbox import api, connections, faults, replays
from sandbox.injection import AFTERWARDS, CARRIED_OUT, Call, Rule
from sandbox.json_text import decode, encode
from sandbox.oauth import AccessDeniedError
from sandbox.xml_text import to_xml

if TYPE_CHECKING:
    from starlette.requests import Request as HttpRequest

    from sandbox.company import Company
    from sandbox.sandbox import Sandbox

UNAVAILABLE = (
    "<html><head><title>503 Service Unavailable</title></head>"
    "<body><h1>Service Unavailable</h1><p>The server is temporarily unable to service your request.</p></body></html>"
)


class AccountingApi:
    """
    Answers the calls to all companies.

    :param sandbox: the state.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def answer(self, http: HttpRequest) -> Response:
        """Answer one call."""
        began_at = self._sandbox.clock.now()
        realm_id = http.path_params["realm"]
        request = api.Request(
            method=http.method,
            path=http.path_params["path"].strip("/"),
            options=dict(http.query_params),
            body=await http.body(),
        )
        exchange = _Exchange(self._sandbox, http, realm_id, request, began_at)
        return await exchange.response()


class _Exchange:
    """One call and its answer."""

    def __init__(
        self, sandbox: Sandbox, http: HttpRequest, realm_id: str, request: api.Request, began_at: float
    ) -> None:
        self._sandbox = sandbox
        self._http = http
        self._realm_id = realm_id
        self._request = request
        self._began_at = began_at
        self._settings = sandbox.settings.of(realm_id)
        self._json = b""
        self._rule: Rule | None = None

    async def response(self) -> Response:
        call = Call(
            self._realm_id, self._request.path.lower(), api.entity_of(self._request), self._request.method
        )
        rule = self._rule = self._sandbox.injector.pick(call)
        await asyncio.sleep(self._settings.latency_ms / 1000 + _delay(rule))
        if rule is None or rule.kind in CARRIED_OUT:
            answered = self._answered()
        else:
            answered = await self._injected(rule)
        self._count(answered)
        return await self._broken(answered, rule)

    def _count(self, answered: Response) -> None:
        company = self._sandbox.companies.get(self._realm_id)
        if company is None:
            return
        kind = api.kind_of(self._request)
        company.calls.answered(kind, answered.status_code)
        if answered.status_code == 200:
            self._sandbox.hooks.answered(company, kind)
        self._sandbox.save(company)

    async def _injected(self, rule: Rule) -> Response:
        if rule.kind in ("timeout", "reset"):
            return await connections.reset(self._http)
        if rule.kind == "503_html":
            return Response(UNAVAILABLE, 503, media_type="text/html")
        if rule.kind == "401":
            return self._denied(AccessDeniedError("Token revoked"))
        if rule.kind == "403_3100":
            return self._denied(AccessDeniedError("", is_wrong_company=True))
        if rule.kind == "429":
            return self._throttled(rule.retry_after)
        return self._refused(faults.system_failure())

    async def _broken(self, answered: Response, rule: Rule | None) -> Response:
        if rule is None or rule.kind not in AFTERWARDS:
            return answered
        if rule.kind == "lost_answer":
            return await connections.reset(self._http)
        if rule.kind == "truncated":
            return connections.TruncatedResponse(
                answered.body, answered.status_code, media_type="application/json"
            )
        broken = bytes(answered.body).replace(b'":', b'"=', 3)
        return Response(broken, answered.status_code, media_type="application/json")

    def _answered(self) -> Response:
        try:
            self._sandbox.oauth.check_access(self._bearer(), self._realm_id)
        except AccessDeniedError as error:
            return self._denied(error)
        company = self._sandbox.companies.get(self._realm_id)
        if company is None:
            return self._denied(AccessDeniedError("", is_wrong_company=True))
        if self._settings.throttle == "on" and not self._admitted(company):
            return self._throttled(self._settings.throttle_retry_after)
        return self._carried_out(company, is_batch=self._request.path == "batch")

    def _admitted(self, company: Company) -> bool:
        segment = self._request.path.split("/")[0]
        if segment == "batch":
            return company.throttle.admits(segment, self._settings.batches_a_minute)
        if segment == "reports":
            return company.throttle.admits(segment, self._settings.reports_a_minute)
        return company.throttle.admits()

    def _bearer(self) -> str:
        scheme, _, token = self._http.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    def _carried_out(self, company: Company, *, is_batch: bool) -> Response:
        request_id = self._request.options.get("requestid", "") if self._request.method == "POST" else ""
        try:
            replays.check_length(request_id, is_batch=is_batch)
        except faults.Fault as fault:
            return self._refused(fault)
        if request_id and self._settings.requestid_mode == "honour":
            return self._remembered(company, request_id)
        return self._fresh(company)

    def _remembered(self, company: Company, request_id: str) -> Response:
        now = self._sandbox.clock.now()
        replay = company.replays.find(request_id, now=now, window=self._settings.requestid_window_seconds)
        if replay is not None:
            return self._rendered(replay.body, replay.status)
        answered = self._fresh(company)
        if answered.status_code == 200 or self._settings.requestid_remembers_faults:
            company.replays.keep(request_id, replays.Replay(now, answered.status_code, self._json))
        return answered

    def _fresh(self, company: Company) -> Response:
        try:
            result = api.answer(company, self._request)
            if self._rule is not None and self._rule.kind == "refused_afterwards":
                raise self._rule.refusal()
        except faults.Fault as fault:
            return self._refused(fault)
        if result.is_read is not None:
            company.calls.succeeded(is_read=result.is_read)
        return self._rendered(api.text_of(result, self._began_at), 200)

    def _refused(self, fault: faults.Fault) -> Response:
        return self._rendered(api.whole(api.fault_members(fault), self._began_at), fault.status)

    def _throttled(self, retry_after: int | None) -> Response:
        fault = faults.throttled()
        json = api.whole(api.fault_members(fault), self._began_at)
        response = _xml(json, 429) if self._settings.throttle_xml else self._rendered(json, 429)
        if retry_after is not None:
            response.headers["Retry-After"] = str(retry_after)
        return response

    def _rendered(self, json: bytes, status: int) -> Response:
        self._json = json
        # Without an Accept header QuickBooks answers in XML.
        if "json" in self._http.headers.get("accept", ""):
            return Response(json, status, media_type="application/json;charset=UTF-8")
        return _xml(json, status)

    def _denied(self, error: AccessDeniedError) -> Response:
        if error.is_wrong_company:
            status, code, name, kind = 403, "3100", "ApplicationAuthenticationFailed", "SERVICE"
        else:
            status, code, name, kind = 401, "3200", "AuthenticationFailed", "AUTHENTICATION"
        body = faults.gateway_body(
            status=status, code=code, name=name, detail=error.detail, kind=kind, epoch=self._began_at
        )
        response = Response(encode(body), status, media_type="application/json;charset=UTF-8")
        if status == 401:
            response.headers["WWW-Authenticate"] = 'Bearer realm="Intuit", error="invalid_token"'
        return response


def _delay(rule: Rule | None) -> float:
    return rule.seconds if rule is not None and rule.kind in ("timeout", "slow") else 0.0


def _xml(json: bytes, status: int) -> Response:
    return Response(to_xml(decode(json)), status, media_type="application/xml;charset=UTF-8")
