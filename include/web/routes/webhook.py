"""The webhook: where Intuit says which records have changed. It stores that and answers; others read."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache, lru_cache

import psycopg
from fastapi import APIRouter, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from include.errors import ConfigurationError, UnreachableError
from include.hooks.quickbooks import QuickBooksHook
from include.hooks.receivables_db import WebhookDbHook
from include.receivables.inbound import webhook_events, webhooks
from include.receivables.inbound.webhooks import RefusedDeliveryError
from include.web.database import IS_DOWN, lend
from include.web.refusals import Refusals

router = APIRouter()
log = logging.getLogger(__name__)

PATH = "/webhook"
SIGNATURE = "intuit-signature"
# The base64 of the 32 bytes of an HMAC-SHA256.
SIGNATURE_FORM = re.compile(r"[A-Za-z0-9+/]{43}=")
# How soon a changed verifier token counts.
VERIFIER_SECONDS = 30
STATUSES = {"unsigned": 401, "forged": 401, "not_configured": 401, "malformed": 400, "too_large": 413}
NOT_CONFIGURED = (
    "Webhooks are not set up: the connection 'quickbooks' has no webhook_verifier_token; copy it from the app's "
    "webhooks page at Intuit."
)
BURST = "Too many deliveries were refused: send no more within a minute."

refusals = Refusals()


@asynccontextmanager
async def saving_refusals(_app: FastAPI) -> AsyncIterator[None]:
    """Save at the end of the server what refusals are not saved yet."""
    yield
    await refusals.close()


@router.post(PATH, response_class=Response)
async def receive(request: Request) -> Response:
    """
    Take one delivery; 200 is all that Intuit wants to hear, within three seconds.

    Anything else makes Intuit deliver it again, later and later: that is right only where the next time may go better.
    """
    try:
        signature = _signature(request)
        body = await _read(request)
        await run_in_threadpool(_take, body, signature)
    except RefusedDeliveryError as error:
        return _refuse(error)
    except (UnreachableError, psycopg.OperationalError) as error:
        log.warning("A webhook delivery could not be stored (%s): Intuit repeats it.", type(error).__name__)
        return JSONResponse({"detail": IS_DOWN}, 503)
    return Response()


def _refuse(error: RefusedDeliveryError) -> Response:
    """Count a refusal and answer it; what Intuit has signed is never put off."""
    refusals.add(error.code)
    if error.code != "malformed" and refusals.is_burst():
        return JSONResponse({"detail": BURST}, 429, {"Retry-After": "60"})
    return JSONResponse({"detail": str(error)}, STATUSES[error.code])


def _signature(request: Request) -> str:
    signature = request.headers.get(SIGNATURE, "")
    if not signature:
        raise RefusedDeliveryError(f"The header {SIGNATURE} is missing.", code="unsigned")
    if not SIGNATURE_FORM.fullmatch(signature):
        raise RefusedDeliveryError(f"The header {SIGNATURE} is no HMAC-SHA256 in base64.", code="forged")
    return signature


async def _read(request: Request) -> bytes:
    """Read the body as it came, and no further than any of Intuit's goes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > webhooks.MAX_BYTES:
            raise RefusedDeliveryError(
                f"The body is larger than {webhooks.MAX_BYTES:,} bytes.", code="too_large"
            )
    return bytes(body)


def _take(body: bytes, signature: str) -> None:
    webhooks.check_signature(body, signature, _verifier_token())
    delivery = webhooks.parse(body)
    with lend(WebhookDbHook) as db:
        outcomes = webhook_events.store(db, delivery)
    log.info("Webhook delivery: %s.", ", ".join(f"{total} {name}" for name, total in outcomes.items()))


def _verifier_token() -> str:
    """
    Return the secret that deliveries are signed with.

    :raises RefusedDeliveryError: when the connection has none.
    """
    token = _read_verifier_token(int(time.monotonic() // VERIFIER_SECONDS))
    if not token:
        _say_not_configured()
        raise RefusedDeliveryError(NOT_CONFIGURED, code="not_configured")
    return token


@lru_cache(maxsize=1)
def _read_verifier_token(_period: int) -> str:
    """Ask Airflow for the connection, once per period."""
    try:
        return QuickBooksHook().webhook_verifier_token
    except ConfigurationError:
        return ""


@cache
def _say_not_configured() -> None:
    """Say it once, not with each delivery."""
    log.error(NOT_CONFIGURED)
