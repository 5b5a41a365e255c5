"""Whether the sync goes on, for whoever watches from outside: no login, no names."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict
from functools import lru_cache

import psycopg
from fastapi import APIRouter
from fastapi.responses import JSONResponse

from include.errors import ReceivablesError
from include.receivables.alerts.listing import Health, read_health
from include.web.database import lend_for_counts

router = APIRouter()
log = logging.getLogger(__name__)

# However often it is asked for, the database is asked once in so many seconds.
KEPT_SECONDS = 5


@router.api_route("/health", methods=["GET", "HEAD"], response_class=JSONResponse)
def show_health() -> JSONResponse:
    """Say how late the sync is: 200 while it is well, 503 once something is late or the database does not answer."""
    health = _read(int(time.monotonic() // KEPT_SECONDS))
    if health is None:
        return JSONResponse({"status": "down", "late": ["database"]}, 503)
    status, code = ("late", 503) if health.late else ("well", 200)
    return JSONResponse({"status": status, "late": health.late, **asdict(health)}, code)


@lru_cache(maxsize=1)
def _read(_period: int) -> Health | None:
    try:
        with lend_for_counts() as db:
            return read_health(db)
    except (ReceivablesError, psycopg.Error) as error:
        log.warning("The health of the sync cannot be read: %s", type(error).__name__)
        return None
