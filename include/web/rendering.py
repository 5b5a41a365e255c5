"""Pages: templates, links that work behind a base path, and what is said after an action."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from fastapi.responses import HTMLResponse, RedirectResponse
from itsdangerous import BadSignature
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from include.web.security import CSRF_FIELD, SignedIn, csrf_token, signer

if TYPE_CHECKING:
    from fastapi import Request

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
NOTICE_COOKIE = "quickbooks_notice"
NOTICE_SECONDS = 60
STATUS_WORDS = {
    "connected": "Connected",
    "paused": "Paused",
    "reauthorize": "Reconnect needed",
    "disconnected": "Disconnected",
}


def path(request: Request, target: str = "", **query: Any) -> str:
    """
    Return the path of one of our pages as the browser sees it.

    :param target: below the app's own path, such as ``companies/acme``.
    :param query: parameters; those that are None or empty are left out.
    """
    given = {key: value for key, value in query.items() if value not in (None, "")}
    return f"{request.scope['pages_path']}/{quote(target)}{'?' + urlencode(given) if given else ''}"


def airflow_path(request: Request, target: str = "") -> str:
    """Return the path of one of Airflow's own pages as the browser sees it."""
    return f"{request.scope.get('app_root_path', '')}/{target}"


def render(
    request: Request,
    user: SignedIn | None,
    template: str,
    *,
    status_code: int = 200,
    form_target: str = "",
    **context: Any,
) -> HTMLResponse:
    """
    Answer with a page.

    :param user: nobody on a page that anybody may see.
    :param form_target: another site's address that the page's forms may end at, such as QuickBooks' consent page.
    :param context: what the template uses.
    """
    notice = _read_notice(request, user)
    html = (
        _templates()
        .get_template(template)
        .render(
            {
                "user": user,
                "csrf_field": CSRF_FIELD,
                "csrf_token": csrf_token(user) if user else "",
                "notice": notice,
                "path": lambda target="", **query: path(request, target, **query),
                "airflow_path": lambda target="": airflow_path(request, target),
                "static": lambda name: f"{path(request, f'static/{name}')}?v={_version(name)}",
                "here": request.url.path,
                **context,
            }
        )
    )
    request.state.form_target = form_target
    response = HTMLResponse(html, status_code)
    if NOTICE_COOKIE in request.cookies:
        response.delete_cookie(NOTICE_COOKIE, path=path(request))
    return response


def redirect(
    request: Request, user: SignedIn, target: str = "", *, notice: str = "", **query: Any
) -> RedirectResponse:
    """
    Send the browser to one of our pages after an action.

    :param notice: one sentence for the next page to show.
    """
    response = RedirectResponse(path(request, target, **query), status_code=303)
    if notice:
        response.set_cookie(
            NOTICE_COOKIE,
            str(signer("notice").dumps([user.name, notice])),
            max_age=NOTICE_SECONDS,
            path=path(request),
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="lax",
        )
    return response


def _read_notice(request: Request, user: SignedIn | None) -> str:
    try:
        name, notice = signer("notice").loads(request.cookies.get(NOTICE_COOKIE, ""), max_age=NOTICE_SECONDS)
    except BadSignature:
        return ""
    return str(notice) if user is not None and name == user.name else ""


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        ago=ago, decimal=Decimal, day=day, exact=exact, money=money, number=number, plural=plural
    )
    environment.globals["status_words"] = STATUS_WORDS
    return environment


@cache
def _version(name: str) -> str:
    """Tell the versions of a file apart, so that browsers may keep each."""
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def ago(moment: datetime | None) -> str:
    """Say how long ago a moment was, such as ``4 min ago``."""
    if moment is None:
        return "never"
    seconds = (datetime.now(UTC) - moment).total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if abs(seconds) >= size:
            amount = f"{int(abs(seconds) // size)} {unit}"
            return f"{amount} ago" if seconds > 0 else f"in {amount}"
    return "just now"


def exact(moment: datetime | None) -> str:
    """Write a moment out in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if moment else ""


def day(moment: datetime | None) -> str:
    """Write a day out, such as ``25 Nov 2026``."""
    return f"{moment.day} {moment:%b %Y}" if moment else ""


def money(amount: Decimal | None, currency: str = "") -> str:
    """Write an amount out, such as ``1,250.00 USD``."""
    return f"{amount:,.2f} {currency}".strip() if amount is not None else ""


def number(count: int | None) -> str:
    """Write a count out with its thousands apart."""
    return f"{count:,}" if count is not None else ""


def plural(count: int, one: str, many: str = "") -> str:
    """Write a count and its noun out, such as ``1 problem`` or ``2 problems``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
