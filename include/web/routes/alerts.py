"""What is wrong and what was, who is told of it, and through which channels."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel

from include.errors import ConfigurationError
from include.receivables.alerts import channels, listing
from include.receivables.alerts.channels import KINDS, LEVELS, Channel, NewChannel
from include.receivables.alerts.model import LATE
from include.receivables.alerts.wording import ALL_COMPANIES, OWNERS
from include.web.dag_runs import trigger
from include.web.database import Db
from include.web.rendering import redirect, render
from include.web.runs import dag_runs_of
from include.web.security import Admin, SignedIn, Viewer

router = APIRouter(prefix="/alerts")

DAG_ID = "send_alerts"
KIND_WORDS = {"smtp": "Mail", "slack": "Slack", "webhook": "Webhook"}
LEVEL_WORDS = {"warning": "Everything", "danger": "Only what stops records or money"}


class ChannelForm(BaseModel):
    """The form of a new channel, as it was filled in; lists have commas between."""

    name: str = ""
    kind: str = "smtp"
    connection_id: str = ""
    recipients: str = ""
    company_id: str = ""
    level: str = "warning"
    codes: str = ""
    quiet_from: str = ""
    quiet_until: str = ""
    time_zone: str = "UTC"


def known_channel(db: Db, name: str) -> Channel:
    """Return the channel that a path names."""
    try:
        return channels.get_channel(db, name)
    except ConfigurationError:
        raise HTTPException(404, "There is no such channel.") from None


KnownChannel = Annotated[Channel, Depends(known_channel)]


@router.get("")
def show_alerts(
    request: Request,
    user: Viewer,
    db: Db,
    state: Literal["open", "closed"] = "open",
    company_id: Annotated[str, Query(max_length=64)] = "",
    before: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    run: str = "",
) -> HTMLResponse:
    """List the alerts and the channels."""
    counts = listing.count_alerts(db)
    return render(
        request,
        user,
        "alerts.html",
        alerts=listing.list_alerts(db, state=state, company_id=company_id or None, before=before),
        counts=counts,
        is_late=counts.evaluated_at is None or datetime.now(UTC) - counts.evaluated_at > LATE,
        channels=sorted(channels.list_channels(db), key=lambda channel: channel.name),
        state=state,
        company_id=company_id,
        before=before,
        owners=OWNERS,
        all_companies=ALL_COMPANIES,
        kind_words=KIND_WORDS,
        level_words=LEVEL_WORDS,
        **dag_runs_of(request, run),
    )


@router.get("/new-channel")
def ask_for_channel(request: Request, user: Admin) -> HTMLResponse:
    """Ask what is to be told through which connection."""
    return _form(request, user, ChannelForm())


@router.post("/channels")
def add_channel(request: Request, user: Admin, db: Db, form: Annotated[ChannelForm, Form()]) -> Response:
    """Add a channel, or show the form again with what is wrong in it."""
    try:
        channel = _channel(form)
        channels.add_channel(db, channel, by=user.name)
    except ConfigurationError as error:
        return _form(request, user, form, fault=str(error))
    return redirect(
        request, user, "alerts", notice=f"Added: send a test to see whether {channel.name} works."
    )


@router.post("/channels/{name}/remove")
def remove_channel(request: Request, user: Admin, db: Db, channel: KnownChannel) -> RedirectResponse:
    """Tell a channel nothing more."""
    channels.remove_channel(db, channel.name)
    return redirect(request, user, "alerts", notice=f"Removed: {channel.name} is told nothing more.")


@router.post("/channels/{name}/test")
async def send_test(request: Request, user: Admin, channel: KnownChannel) -> RedirectResponse:
    """Have a test message sent on the way that alerts take: by a worker, not from here."""
    dag_run_id = await trigger(request, user, DAG_ID, {"test_channels": [channel.name]})
    return redirect(request, user, "alerts", run=f"{DAG_ID}/{dag_run_id}")


def _form(request: Request, user: SignedIn, given: ChannelForm, fault: str = "") -> HTMLResponse:
    return render(
        request,
        user,
        "alert_channel.html",
        status_code=422 if fault else 200,
        given=given,
        fault=fault,
        kinds=[(kind, KIND_WORDS[kind]) for kind in KINDS],
        levels=[(level, LEVEL_WORDS[level]) for level in LEVELS],
    )


def _channel(form: ChannelForm) -> NewChannel:
    """
    Read the form.

    :raises ConfigurationError: when the hours are none.
    """
    given = {field: text.strip() for field, text in form.model_dump().items()}
    fields: dict[str, Any] = given | {
        "recipients": _listed(form.recipients),
        "codes": _listed(form.codes) or None,
        "quiet_from": _time(given["quiet_from"]),
        "quiet_until": _time(given["quiet_until"]),
        "time_zone": given["time_zone"] or "UTC",
    }
    return NewChannel(**fields)


def _listed(text: str) -> list[str]:
    return text.replace(",", " ").replace(";", " ").split()


def _time(text: str) -> time | None:
    try:
        return time.fromisoformat(text) if text else None
    except ValueError:
        raise ConfigurationError("Quiet hours are written like 22:00.") from None
