"""
Who may ask an Airflow and our pages for what: every route, for everybody, as a table.

The routes are those that the servers themselves name, so that none can be forgotten. Each is asked for with the names
of nothing and an empty body: whoever is let in is told so, and nothing happens.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import requests
from fastapi.routing import APIRoute

from tests.support.fixtures_web import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fastapi import FastAPI

    from tests.support.fixtures_web import Web

METHODS = ("get", "post", "put", "patch", "delete")
NOTHING: Mapping[str, Any] = {
    "integer": 999_999_999,
    "boolean": False,
    "uuid": "00000000-0000-0000-0000-000000000000",
}
# Not signed in, or not allowed.
REFUSED = (401, 403)
PAGES = "/quickbooks"


@dataclass(frozen=True, order=True)
class Route:
    """
    One thing to be asked for.

    :param path: below Airflow's address, with names in braces.
    :param kinds: of the values that stand in the path or have to be said besides.
    """

    path: str
    method: str
    kinds: Mapping[str, str] = field(default_factory=dict, compare=False)
    query: tuple[str, ...] = field(default=(), compare=False)

    def filled(self, names: Mapping[str, Any]) -> str:
        """Return the path with these names; what is not among them is nothing's."""
        return re.sub(
            r"\{(\w+)(?::path)?\}", lambda found: str(names.get(found[1], self.value(found[1]))), self.path
        )

    def value(self, name: str) -> Any:
        """Return what stands for nothing."""
        return NOTHING.get(self.kinds.get(name, "string"), "nothing")


def list_routes(web: Web, pages: FastAPI) -> list[Route]:
    """List the routes of Airflow's public API, of its UI, of FAB and of our pages; what ends a sign-in comes last."""
    routes = [
        *_described(web, "/openapi.json"),
        *_described(web, "/auth/openapi.json", "/auth"),
        *_built(_ui(), ""),
        *_built(pages.routes, PAGES),
    ]
    return sorted(routes, key=lambda route: ("logout" in route.path, route.path, METHODS.index(route.method)))


def ask(
    web: Web, route: Route, user: str, names: Mapping[str, Any] | None = None, body: Any = None
) -> requests.Response:
    """Ask for a route as a user, or as nobody in particular."""
    headers = {"Sec-Fetch-Site": "same-origin", "Accept": "application/json"}
    if user:
        headers["Authorization"] = f"Bearer {web.known_token(user)}"
        if "logout" in route.path:
            headers["Authorization"] = f"Bearer {web.token(user)}"
        if route.path.startswith(PAGES) and route.method != "get":
            headers["X-CSRF-Token"] = _csrf(web.url, headers["Authorization"])
    return requests.request(
        route.method,
        f"{web.url}{route.filled(names or {})}",
        params={name: route.value(name) for name in route.query},
        headers=headers,
        json=None if route.method == "get" else body if body is not None else {},
        timeout=TIMEOUT,
        allow_redirects=False,
    )


def is_let_in(answer: requests.Response) -> bool:
    """Tell whether an answer says anything but that one may not ask."""
    return answer.status_code not in REFUSED and "/auth/login" not in answer.headers.get("Location", "")


def draw(rows: Iterable[tuple[Route, list[bool]]], users: Iterable[str]) -> str:
    """Draw the table: ``x`` for who is let in."""
    heads, rows = list(users), list(rows)
    wide = max(len(route.path) for route, _ in rows)
    lines = [f"{'':6} {'':{wide}} {' '.join(heads)}"]
    for route, marks in rows:
        drawn = " ".join(
            ("x" if may else ".").center(len(head)) for may, head in zip(marks, heads, strict=True)
        )
        lines.append(f"{route.method.upper():6} {route.path:{wide}} {drawn}".rstrip())
    return "\n".join(lines) + "\n"


@cache
def _csrf(url: str, authorization: str) -> str:
    """Return what a page gives to send its forms with; nothing where there is no page."""
    page = requests.get(f"{url}{PAGES}/", headers={"Authorization": authorization}, timeout=TIMEOUT)
    found = re.search(r'<meta name="csrf-token" content="([^"]*)">', page.text)
    return found[1] if found else ""


def _described(web: Web, place: str, prefix: str = "") -> Iterator[Route]:
    answer = requests.get(f"{web.url}{place}", timeout=TIMEOUT)
    answer.raise_for_status()
    for path, verbs in answer.json()["paths"].items():
        for method in METHODS:
            if method in verbs:
                said = verbs[method].get("parameters", [])
                kinds = {
                    each["name"]: each["schema"].get("format") or each["schema"].get("type") for each in said
                }
                query = tuple(each["name"] for each in said if each["in"] == "query" and each["required"])
                yield Route(f"{prefix}{path}", method, kinds, query)


def _ui() -> Iterable[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Airflow's own dependencies say about each other
        from airflow.api_fastapi.core_api.routes.ui import ui_router

        return ui_router.routes


def _built(routes: Iterable[Any], prefix: str) -> Iterator[Route]:
    for route in routes:
        if isinstance(route, APIRoute):
            for method in route.methods - {"HEAD"}:
                yield Route(f"{prefix}{route.path}", method.lower())
