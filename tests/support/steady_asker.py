"""A reminder service that asks again and again, whatever is away meanwhile."""

from __future__ import annotations

import statistics
import time
import uuid
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle
from threading import BoundedSemaphore, Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from examples.reminder_service import Airflow, NoVerdictsError
from tests.support.expected import peakflo_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from include.receivables.company.companies import Company
    from tests.support.bookkeeper import Bookkeeper

PAUSE_SECONDS = 1.0
DATE = "2026-01-02"
INVOICES = 20
RIGHT = {"open": {"send", "unknown"}, "paid": {"hold", "unknown"}}


@dataclass
class Reminded:
    """
    A company's invoices that are asked about: one that stays open, and others to be paid in QuickBooks.

    They belong to different customers: what covers one invoice has to do with the others of its customer.
    """

    company: Company
    books: Bookkeeper
    open: str
    payable: Iterator[tuple[str, str]]

    @classmethod
    def of(cls, company: Company, books: Bookkeeper) -> Reminded:
        """Write the invoices."""
        debtor, payer = books.customer("Debtor"), books.customer("Payer of reminders")
        payable = [(payer, books.invoice(payer, "50", TxnDate=DATE)) for _ in range(INVOICES)]
        return cls(company, books, books.invoice(debtor, "70", TxnDate=DATE), iter(payable))

    def pay_one(self) -> str:
        """Pay an invoice in QuickBooks, and return it."""
        customer, invoice = next(self.payable)
        self.books.pay(customer, "50", ("Invoice", invoice, "50"))
        return invoice

    def id(self, invoice: str) -> str:
        """Return Peakflo's id of an invoice."""
        return str(peakflo_id(self.company.realm_id, "invoice", invoice))


@dataclass
class SteadyAsker:
    """
    Asks about an open invoice and one that was paid a moment before, of one company after another, every second.

    :param url: where Airflow is.
    :param reminded: the companies, complete before it begins.
    :param seconds_to_answer: what the service gives a check, from its login to the last verdict.
    :param at_once: how many questions may be open; while there are so many, the next one waits.
    """

    url: str
    password: str
    reminded: list[Reminded] = field(default_factory=list)
    seconds_to_answer: float = 15
    at_once: int = 1
    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    known_at: float = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def __enter__(self) -> SteadyAsker:
        self._is_over = Event()
        self._lock = Lock()
        self._asked: list[Future[None]] = []
        self._thread = Thread(target=self._ask_on)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        for asked in self._asked:
            asked.result()

    @property
    def wrong(self) -> dict[tuple[str, str], int]:
        """Verdicts that should not have been given."""
        return {given: count for given, count in self.verdicts.items() if given[1] not in RIGHT[given[0]]}

    def ask(self, reminded: Reminded) -> None:
        """Ask about one company; what does not come in time is unknown."""
        asked = {reminded.id(reminded.open): "open", reminded.id(reminded.pay_one()): "paid"}
        began = time.monotonic()
        service = Airflow(self.url, "reminder", self.password)
        try:
            answer = service.check(
                reminded.company.company_id, list(asked), f"asked-{uuid.uuid4()}", self.seconds_to_answer
            )
        except (NoVerdictsError, OSError) as error:
            answer = {"verdicts": [], "error": type(error).__name__}
        with self._lock:
            self._note(asked, answer, time.monotonic() - began)

    def _note(self, asked: Mapping[str, str], answer: Mapping[str, Any], seconds: float) -> None:
        given = {verdict["invoice_id"]: verdict for verdict in answer["verdicts"]}
        for invoice, kind in asked.items():
            verdict = given.get(invoice, {"verdict": "unknown", "reasons": [answer["error"]]})
            self.verdicts[kind, verdict["verdict"]] += 1
            self.reasons.update(verdict["reasons"] if verdict["verdict"] == "unknown" else ())
        if "unknown" not in {verdict["verdict"] for verdict in given.values()} and given:
            self.seconds.append(seconds)
            self.known_at = self.known_at or time.monotonic()

    def __str__(self) -> str:
        given = ", ".join(
            f"{count} {kind} {verdict}" for (kind, verdict), count in sorted(self.verdicts.items())
        )
        took = (
            f"{statistics.median(self.seconds):.2f} s, {max(self.seconds):.2f} s at most"
            if self.seconds
            else "none"
        )
        return f"verdicts: {given}; p50 of those known {took}; why unknown: {dict(self.reasons)}"

    def _ask_on(self) -> None:
        places = BoundedSemaphore(self.at_once)

        def ask(reminded: Reminded) -> None:
            try:
                self.ask(reminded)
            finally:
                places.release()

        with ThreadPoolExecutor(self.at_once) as asking:
            for reminded in cycle(self.reminded):
                places.acquire()
                if self._is_over.wait(PAUSE_SECONDS):
                    return
                self._asked.append(asking.submit(ask, reminded))
