"""Delivers payments for whichever company has any, over and over, in a process of its own."""

from __future__ import annotations

import json
import os
import random
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import requests.adapters

from include.errors import ReceivablesError
from include.receivables.company import rate_limit
from include.receivables.company.access import Access
from include.receivables.company.run_context import RunContext
from include.receivables.outbound import delivery_jobs
from include.receivables.outbound.work import list_due_companies
from tests.support.workbench import UNLIMITED

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

    from include.quickbooks.client import QuickBooksClient
    from tests.support.delivery_trace import Trace
    from tests.support.other_process import Keys

# As in production, a request is over well before it may be repeated: there, 60 seconds and two minutes.
READ_TIMEOUT = 0.5
SETTLED_AFTER = timedelta(seconds=2)
PAUSE = 0.1
KEYS = ("PaymentRefNum", "DocNumber", "PrivateNote")


class ImpatientAccess(Access):
    """Waits for QuickBooks' answers for a moment only."""

    def client(self, *arguments: Any, **options: Any) -> QuickBooksClient:
        """Return a client."""
        return super().client(*arguments, **options | {"read_timeout": READ_TIMEOUT})


@dataclass(frozen=True)
class Worker:
    """
    What a worker is told.

    :param is_keyless: whether QuickBooks gets to see none of the keys by which a payment is recognised.
    """

    keys: Keys
    trace: Trace
    seed: int
    is_keyless: bool = False

    def run(self, stop: Event) -> None:
        """Deliver until told to stop; what fails is tried again later."""
        rate_limit.MOST = UNLIMITED
        if self.is_keyless:
            lose_keys()
        self.trace.watch()
        access = self._access()
        while not stop.is_set():
            with suppress(psycopg.OperationalError), access.connect() as db:
                self._deliver(access, db, stop)

    def _access(self) -> Access:
        plain = self.keys.access()
        return ImpatientAccess(plain.connect, plain.app, plain.cipher, plain.api_url)

    def _deliver(self, access: Access, db: psycopg.Connection, stop: Event) -> None:
        chance = random.Random(self.seed)
        while not stop.is_set():
            due = list_due_companies(db)
            for company_id in chance.sample(due, len(due)):
                with suppress(ReceivablesError, psycopg.OperationalError):
                    run_context = RunContext("campaign", f"{os.getpid()}-{time.monotonic_ns()}")
                    delivery_jobs.deliver(access, company_id, run_context, settled_after=SETTLED_AFTER)
            time.sleep(PAUSE)


def lose_keys() -> None:
    """Let every write lose on its way what it can be recognised by."""
    send = requests.adapters.HTTPAdapter.send

    def send_without_keys(self: Any, request: Any, **options: Any) -> Any:
        if "requestid=" in request.url:
            request.url = re.sub(r"requestid=[^&]*&?", "", request.url)
            said = json.loads(request.body, parse_float=str, parse_int=str)
            body = json.dumps({name: value for name, value in said.items() if name not in KEYS})
            request.prepare_body(body.encode(), None)
        return send(self, request, **options)

    requests.adapters.HTTPAdapter.send = send_without_keys  # type: ignore[assignment,method-assign]
