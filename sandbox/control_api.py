"""The control API: what tests, demonstrations and benchmarks do to the sandbox from outside."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox import bulk_books, demo_books, faults, merging, random_events, truth
from sandbox.sandbox import UnknownCompanyError
from sandbox.scribe import Scribe
from sandbox.serving import Oddity

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from sandbox.company import Company
    from sandbox.sandbox import Sandbox

    Handler = Callable[["ControlApi", Request], Awaitable[Response]]


class NewCompany(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a company is opened with."""

    name: str = "Riverbend Design Studio"
    country: str = "US"
    home_currency: str = "USD"
    multicurrency: bool = True
    books: bulk_books.Size | Literal["demo", "empty"] = "demo"
    realm_id: str = ""


class Events(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How many random events to run, and which."""

    count: int = 10
    seed: int = 1
    weights: dict[str, int] = {}


class Merge(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which customer goes up in which."""

    loser: str
    survivor: str


class Expiry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which tokens expire."""

    what: Literal["access", "refresh", "all"] = "access"


class ClockChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How the clock moves."""

    offset_seconds: float | None = None
    advance_seconds: float = 0


def _age_days(books: bulk_books.Size | str) -> int:
    if isinstance(books, bulk_books.Size):
        return bulk_books.OLDEST_DAYS
    return demo_books.AGE_DAYS if books == "demo" else 0


def _answers(handler: Handler) -> Handler:
    """Turn wrong requests into answers with one sentence."""

    @functools.wraps(handler)
    async def wrapped(self: ControlApi, request: Request) -> Response:
        try:
            return await handler(self, request)
        except UnknownCompanyError as error:
            return JSONResponse({"error": str(error)}, 404)
        except (msgspec.MsgspecError, faults.Fault) as error:
            return JSONResponse({"error": str(error)}, 400)

    return wrapped


class ControlApi:
    """
    ``/control/…``.

    :param sandbox: the state.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def routes(self) -> list[Route]:
        """Return the routes."""
        realm = "/control/companies/{realm}"
        return [
            Route("/control/health", self.health),
            Route("/control/reset", self.reset, methods=["POST"]),
            Route("/control/companies", self.companies),
            Route("/control/companies", self.create_company, methods=["POST"]),
            Route(f"{realm}/tokens", self.tokens, methods=["POST"]),
            Route(f"{realm}/events", self.events, methods=["POST"]),
            Route(f"{realm}/merges", self.merges, methods=["POST"]),
            Route(f"{realm}/keep", self.keep, methods=["POST"]),
            Route(f"{realm}/put-back", self.put_back, methods=["POST"]),
            Route(f"{realm}/truth", self.truth),
            Route(f"{realm}/calls", self.calls, methods=["GET", "DELETE"]),
            Route(f"{realm}/expire", self.expire, methods=["POST"]),
            Route(f"{realm}/revoke", self.revoke, methods=["POST"]),
            Route(f"{realm}/oddities", self.oddities, methods=["GET", "POST", "DELETE"]),
            Route("/control/oauth/calls", self.oauth_calls, methods=["GET", "DELETE"]),
            Route("/control/clock", self.clock, methods=["GET", "POST"]),
            Route("/control/settings", self.settings, methods=["GET", "POST"]),
            Route("/control/faults", self.faults, methods=["GET", "POST", "DELETE"]),
            Route("/control/hooks", self.hooks, methods=["GET", "POST", "DELETE"]),
            Route("/control/webhooks", self.webhooks, methods=["GET", "POST"]),
            Route("/control/webhooks/faults", self.webhook_faults, methods=["POST", "DELETE"]),
        ]

    def _company(self, request: Request) -> Company:
        return self._sandbox.company(request.path_params["realm"])

    async def health(self, _request: Request) -> Response:
        """Tell that the sandbox is up."""
        return JSONResponse({"status": "ok"})

    async def reset(self, _request: Request) -> Response:
        """Drop injected faults, oddities, hooks and settings, and set the clock right."""
        self._sandbox.reset()
        return JSONResponse({})

    async def companies(self, _request: Request) -> Response:
        """List the companies."""
        return JSONResponse(
            [
                {
                    "realm_id": company.realm_id,
                    "name": company.name,
                    "home_currency": company.books.home_currency,
                    "multicurrency": company.books.multicurrency,
                }
                for company in self._sandbox.companies.values()
            ]
        )

    @_answers
    async def create_company(self, request: Request) -> Response:
        """Create a company, fill its books and connect the app to it."""
        asked = msgspec.json.decode(await request.body() or b"{}", type=NewCompany)
        realm_id = asked.realm_id or self._sandbox.next_realm_id()
        if realm_id in self._sandbox.companies:
            return JSONResponse(
                {"error": f"There is a company {realm_id} already; choose another realm_id."}, 409
            )
        company = self._sandbox.open_company(
            asked.name,
            realm_id=realm_id,
            country=asked.country,
            home_currency=asked.home_currency,
            multicurrency=asked.multicurrency,
            age_days=_age_days(asked.books),
        )
        if isinstance(asked.books, bulk_books.Size):
            bulk_books.fill(company.books, asked.books, self._sandbox.seed)
        elif asked.books == "demo":
            demo_books.fill(company.books, self._sandbox.seed)
        # Before the app is connected: nobody is told what the books began with.
        self._sandbox.save(company)
        return JSONResponse({"realm_id": realm_id, "name": asked.name, **self._new_tokens(realm_id)}, 201)

    def _new_tokens(self, realm_id: str) -> dict[str, str]:
        pair = self._sandbox.oauth.grant(realm_id)
        self._sandbox.storage.save_tokens(self._sandbox.oauth)
        return {"refresh_token": pair.refresh.value, "access_token": pair.access.value}

    @_answers
    async def tokens(self, request: Request) -> Response:
        """Connect the app once more, as if a user had consented."""
        return JSONResponse(self._new_tokens(self._company(request).realm_id), 201)

    @_answers
    async def events(self, request: Request) -> Response:
        """Run random business events."""
        company = self._company(request)
        asked = msgspec.json.decode(await request.body() or b"{}", type=Events)
        counts = random_events.run(company.books, asked.count, asked.seed, asked.weights)
        self._sandbox.save(company)
        return JSONResponse({"events": counts})

    @_answers
    async def merges(self, request: Request) -> Response:
        """Merge one customer into another."""
        company = self._company(request)
        asked = msgspec.json.decode(await request.body(), type=Merge)
        merging.merge_customers(Scribe(company.books), asked.loser, asked.survivor)
        self._sandbox.save(company)
        return JSONResponse({})

    @_answers
    async def truth(self, request: Request) -> Response:
        """Tell what the books hold."""
        with_records = request.query_params.get("records") == "1"
        found = truth.json_of(self._company(request).books, with_records=with_records)
        return Response(found, media_type="application/json")

    @_answers
    async def keep(self, request: Request) -> Response:
        """Remember a company as it is."""
        self._sandbox.keep(self._company(request))
        return JSONResponse({})

    @_answers
    async def put_back(self, request: Request) -> Response:
        """Put a company back as it was kept; a file would keep both states."""
        company = self._company(request)
        if self._sandbox.storage.is_on or not self._sandbox.is_kept(company):
            error = f"Company {company.realm_id} was not kept, or the sandbox writes to a file: nothing is put back."
            return JSONResponse({"error": error}, 409)
        self._sandbox.put_back(company)
        return JSONResponse({})

    @_answers
    async def calls(self, request: Request) -> Response:
        """Tell or reset the counts of API calls."""
        company = self._company(request)
        if request.method == "DELETE":
            company.calls.reset()
        return JSONResponse(company.calls.summary())

    @_answers
    async def oddities(self, request: Request) -> Response:
        """Answer records oddly, tell which ones are, or answer them as they are again."""
        serving = self._company(request).books.serving
        if request.method == "DELETE":
            serving.clear(request.query_params.get("entity", ""), request.query_params.get("id", ""))
        if request.method == "POST":
            serving.add(msgspec.json.decode(await request.body(), type=Oddity))
        return Response(msgspec.json.encode(serving.oddities()), media_type="application/json")

    async def oauth_calls(self, request: Request) -> Response:
        """Tell or reset the counts of token requests, and of their refusals."""
        if request.method == "DELETE":
            self._sandbox.oauth.counts.clear()
        return JSONResponse(self._sandbox.oauth.counts)

    @_answers
    async def expire(self, request: Request) -> Response:
        """Let tokens of a company expire now."""
        asked = msgspec.json.decode(await request.body() or b"{}", type=Expiry)
        kinds = ("access", "refresh") if asked.what == "all" else (asked.what,)
        self._sandbox.oauth.expire_company(self._company(request).realm_id, kinds)
        self._sandbox.storage.save_tokens(self._sandbox.oauth)
        return JSONResponse({})

    @_answers
    async def revoke(self, request: Request) -> Response:
        """Disconnect the app, as the company's admin does."""
        self._sandbox.oauth.revoke_company(self._company(request).realm_id)
        self._sandbox.storage.save_tokens(self._sandbox.oauth)
        return JSONResponse({})

    @_answers
    async def clock(self, request: Request) -> Response:
        """Tell or move the clock."""
        clock = self._sandbox.clock
        if request.method == "POST":
            asked = msgspec.json.decode(await request.body(), type=ClockChange)
            base = clock.offset_seconds if asked.offset_seconds is None else asked.offset_seconds
            self._sandbox.set_clock(base + asked.advance_seconds)
        return JSONResponse({"now": clock.now(), "offset_seconds": clock.offset_seconds})

    @_answers
    async def settings(self, request: Request) -> Response:
        """Tell or change the settings, of all companies or of one."""
        if request.method == "GET":
            realm_id = request.query_params.get("realm", "")
        else:
            values = msgspec.json.decode(await request.body(), type=dict[str, Any])
            realm_id = values.pop("realm", "")
            self._sandbox.change_settings(values, realm_id)
        return Response(
            msgspec.json.encode(self._sandbox.settings.of(realm_id)), media_type="application/json"
        )

    @_answers
    async def faults(self, request: Request) -> Response:
        """Inject faults, list the rules with their hits, or drop them."""
        injector = self._sandbox.injector
        if request.method == "DELETE":
            injector.clear()
        if request.method == "POST":
            rule = injector.add(msgspec.json.decode(await request.body(), type=dict[str, Any]))
            return JSONResponse({"id": rule.id}, 201)
        return Response(msgspec.json.encode(injector.rules), media_type="application/json")

    @_answers
    async def hooks(self, request: Request) -> Response:
        """Plan changes right after an answer, list the waiting ones, or drop them."""
        hooks = self._sandbox.hooks
        if request.method == "DELETE":
            hooks.clear()
        if request.method == "POST":
            hook = hooks.add(msgspec.json.decode(await request.body(), type=dict[str, Any]))
            return JSONResponse({"id": hook.id}, 201)
        return Response(msgspec.json.encode(hooks.waiting), media_type="application/json")

    @_answers
    async def webhooks(self, request: Request) -> Response:
        """Tell or change where webhooks go and in what form, and tell what became of them."""
        sender = self._sandbox.webhooks
        if request.method == "POST":
            sender.change(msgspec.json.decode(await request.body(), type=dict[str, Any]))
        told = {"settings": sender.settings, "counts": sender.counts, "is_idle": sender.is_idle}
        return Response(msgspec.json.encode(told), media_type="application/json")

    @_answers
    async def webhook_faults(self, request: Request) -> Response:
        """Let something go wrong with the next webhooks, or nothing any more."""
        sender = self._sandbox.webhooks
        if request.method == "DELETE":
            sender.faults.clear()
        else:
            sender.add_fault(msgspec.json.decode(await request.body(), type=dict[str, Any]))
        return Response(msgspec.json.encode(sender.faults), media_type="application/json")
