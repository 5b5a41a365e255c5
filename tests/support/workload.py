"""Random life of a company: business events in chunks, syncs in between, and answers that arrive late."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from include.quickbooks.calls import CallCounts
from include.quickbooks.entities import SYNCED
from include.quickbooks.records import Changes, Page
from include.receivables.company.runs import company_run
from include.receivables.inbound import staging
from include.receivables.inbound.merging import merge_pending
from include.receivables.inbound.syncing import OVERLAP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.receivables.company.companies import Company
    from tests.support.workbench import Workbench

Answer = Page | Changes
# Money that comes and goes otherwise than by payments, and what those settle of it.
OTHER_MONEY = {"deposit": 4, "check": 3, "settle_other": 8, "edit_other": 2, "delete_other": 2}


@dataclass
class Workload:
    """
    Keeps one company busy.

    :param seed: makes chunks and replays repeatable.
    """

    bench: Workbench
    company: Company
    seed: int
    answers: list[Answer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._event_seeds = iter(range(self.seed * 1000, self.seed * 1000 + 1000))

    def chunks(self, total: int, *, most: int) -> Iterator[int]:
        """Run so many events, a random number at a time; time passes after each chunk."""
        left = total
        while left:
            count = min(left, self._random.randint(1, most))
            seed = next(self._event_seeds)
            done = self.bench.sandbox.events(self.company.realm_id, count, seed, **OTHER_MONEY)
            left -= sum(done.values())
            yield count
            self.bench.sandbox.advance_clock(self._random.choice((0, 0, 1, 90, 700, 1500)))

    def keep_answers(self) -> None:
        """Ask QuickBooks without staging what it answers: those answers come late."""
        with self.bench.access.open_books(self.company.company_id) as books:
            cursor = staging.read_cursor(books.db, self.company.realm_id, SYNCED)
            assert cursor is not None
            self.answers.append(books.quickbooks.changes(SYNCED, cursor - OVERLAP))
            entity = self._random.choice(SYNCED)
            self.answers.append(books.quickbooks.query(entity, size=self._random.choice((5, 50, 1000))))

    def replay(self, count: int) -> None:
        """Stage some of the kept answers once more, in any order, and merge what they bring."""
        chosen = [self._random.choice(self.answers) for _ in range(min(count, len(self.answers)))]
        self.stage(*chosen)

    def stage(self, *answers: Answer) -> None:
        """Stage answers as they come, and merge."""
        run_context = self.bench.run_context()
        with company_run(self.bench.db, self.company, run_context, calls=CallCounts()) as run:
            for answer in answers:
                if isinstance(answer, Page):
                    staging.stage_page(self.bench.db, run, answer)
                else:
                    staging.stage_changes(self.bench.db, run, answer, SYNCED)
            merge_pending(self.bench.db, run)
