"""
Who asks, what they may do, and whether a form was sent from one of our own pages.

Airflow knows its users: it reads its own cookie or a bearer token. What a user may do is asked of whichever auth
manager is in use, in terms that each of them has:

* who may read the DAG of the sync sees: all roles of SimpleAuthManager, and FAB's Viewer and those above it. The
  reminder service's user may not, and reads nothing but verdicts, as whoever may read the DAG of reminders does;
* who may edit Airflow's connections acts (roles op and admin of SimpleAuthManager and of FAB);
* who administers Airflow connects and disconnects. SimpleAuthManager has a role for that; elsewhere it is whoever may
  edit roles, which FAB grants to Admin alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Annotated
from urllib.parse import urlsplit

from airflow.configuration import conf
from fastapi import Depends, HTTPException, Request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from include.web.airflow_private.api_server import (
    API_BASE_URL,
    COOKIE_NAME_JWT_TOKEN,
    BaseUser,
    ConnectionDetails,
    DagDetails,
    GetUserDep,
    SimpleAuthManagerUser,
    get_auth_manager,
)

CSRF_FIELD = "csrf_token"
CSRF_HEADER = "X-CSRF-Token"
CSRF_SECONDS = 24 * 60 * 60  # as long as Airflow's own sign-in lasts


@dataclass(frozen=True, slots=True)
class SignedIn:
    """
    The user who asks.

    :param name: as Airflow names them.
    :param groups: the user's roles in Airflow, by which companies may be given to several users at once.
    :param can_see: may look at the pages.
    :param can_read_verdicts: may read what reminder runs found.
    :param can_act: may sync, retry, pause, map accounts.
    :param can_administer: may connect and disconnect companies.
    :param token: the user's token for Airflow's own API; never to be logged or shown.
    :param session: differs with each sign-in of a browser, and may be handed out; empty for a program that brings its
        token along by itself, which no other site can make it do.
    """

    name: str
    groups: tuple[str, ...]
    can_see: bool
    can_read_verdicts: bool
    can_act: bool
    can_administer: bool
    token: str
    session: str


def signed_in(request: Request, user: GetUserDep) -> SignedIn:
    """Return the user who asks; anonymous callers do not get here."""
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    is_bearer = scheme.lower() == "bearer"
    token = bearer if is_bearer else request.cookies.get(COOKIE_NAME_JWT_TOKEN, "")
    request.state.user = SignedIn(
        name=user.get_name(),
        groups=_groups(user),
        can_see=_can_read(user, "quickbooks_to_peakflo"),
        can_read_verdicts=_can_read(user, "refresh_before_reminder"),
        can_act=_can_act(user),
        can_administer=_can_administer(user),
        token=token,
        session="" if is_bearer else hashlib.sha256(token.encode()).hexdigest()[:32],
    )
    return request.state.user  # type: ignore[no-any-return]


def _groups(user: BaseUser) -> tuple[str, ...]:
    if isinstance(user, SimpleAuthManagerUser):
        return (user.role,) if user.role else ()
    return tuple(role.name for role in getattr(user, "roles", ()))


def _can_read(user: BaseUser, dag_id: str) -> bool:
    return get_auth_manager().is_authorized_dag(method="GET", user=user, details=DagDetails(id=dag_id))


def _can_act(user: BaseUser) -> bool:
    return get_auth_manager().is_authorized_connection(
        method="PUT", user=user, details=ConnectionDetails(conn_id="quickbooks")
    )


def _can_administer(user: BaseUser) -> bool:
    if isinstance(user, SimpleAuthManagerUser):
        return user.role is not None and user.role.lower() == "admin"
    return get_auth_manager().is_authorized_custom_view(method="PUT", resource_name="Roles", user=user)


SomebodySignedIn = Annotated[SignedIn, Depends(signed_in)]


def viewing(user: SomebodySignedIn) -> SignedIn:
    """Let only those pass who may look at the pages."""
    if not user.can_see:
        raise HTTPException(
            403, "This takes a role that may read the DAG quickbooks_to_peakflo, such as Viewer."
        )
    return user


def reading_verdicts(user: SomebodySignedIn) -> SignedIn:
    """Let only those pass who may read verdicts."""
    if not user.can_read_verdicts:
        raise HTTPException(403, "This takes a role that may read the DAG refresh_before_reminder.")
    return user


Viewer = Annotated[SignedIn, Depends(viewing)]


def acting(user: Viewer) -> SignedIn:
    """Let only those pass who may act."""
    if not user.can_act:
        raise HTTPException(403, "This takes the role Op or Admin: ask somebody who has one of them.")
    return user


def administering(user: Viewer) -> SignedIn:
    """Let only those pass who administer."""
    if not user.can_administer:
        raise HTTPException(403, "This takes the role Admin: ask an administrator of this Airflow.")
    return user


Operator = Annotated[SignedIn, Depends(acting)]
Admin = Annotated[SignedIn, Depends(administering)]


@cache
def signer(purpose: str) -> URLSafeTimedSerializer:
    """Return what signs values that go through a browser; a value signed for one purpose serves no other."""
    return URLSafeTimedSerializer(conf.get_mandatory_value("api", "secret_key"), salt=f"quickbooks {purpose}")


def csrf_token(user: SignedIn) -> str:
    """Return a token that only this user can send back, and only from this sign-in."""
    return str(signer("csrf").dumps([user.name, user.session]))


async def protect(request: Request, user: SomebodySignedIn) -> None:
    """Refuse what changes something unless it comes from one of our own pages, shown to the same user."""
    if request.method in ("GET", "HEAD"):
        return
    _check_origin(request)
    form = await request.form()
    token = request.headers.get(CSRF_HEADER) or form.get(CSRF_FIELD) or ""
    try:
        shown_to = signer("csrf").loads(str(token), max_age=CSRF_SECONDS)
    except BadSignature:
        shown_to = None
    if shown_to != [user.name, user.session]:
        raise HTTPException(403, "This page is out of date: go back, reload it and try again.")


def _check_origin(request: Request) -> None:
    """Browsers say where a form comes from; other programs do not, and have no cookies to be misused."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    host = urlsplit(request.headers.get("Origin", str(request.base_url))).netloc
    # A reverse proxy may have changed the host that the browser named.
    own = {urlsplit(API_BASE_URL).netloc, request.base_url.netloc} - {""}
    if site != "same-origin" or host not in own:
        raise HTTPException(403, "This form was sent from another site, so nothing was changed.")
