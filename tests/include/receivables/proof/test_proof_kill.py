"""A proof that is killed: nothing wrong is said to be proved, what it repaired is whole, the next one does the rest."""

from __future__ import annotations

import os
import random
import re
import signal
from typing import TYPE_CHECKING

import pytest

from tests.include.receivables.proof.test_reconciling import prove
from tests.support import killed_proof, truth
from tests.support.damages import Vandal
from tests.support.fuse import ANY, UNNAMED
from tests.support.killing import PATIENCE, preloaded, when_free

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import ForkServerContext as Processes
    from pathlib import Path

    from include.receivables.company.companies import Company
    from tests.support.bookkeeper import Bookkeeper
    from tests.support.other_process import Keys
    from tests.support.workbench import Workbench

# A proof dies at each so-manieth point of its work.
STRIDE = int(os.environ.get("PROOF_KILL_STRIDE", "5"))
# What a repair has to stage, to ask for, to merge and to mark.
STAGED, ASKED_FOR, MERGED, MARKED = (
    "a_staged_amount_altered",
    "a_hidden_deletion",
    "a_row_lost",
    "a_row_doubled",
)
KINDS = (STAGED, ASKED_FOR, MERGED, MARKED)
YEAR = 365 * 24 * 60 * 60
# All moments of a proof that a kill has to have met.
PHASES = {
    "reading": "answered query",
    "reading the reports": "answered reports",
    "before the sync": "sending cdc",
    "before a version is doubted": "proof/doubt",
    "in between staging and merging": "proof/queue",
    "before recording": "proof/save",
    "before its run ends": "sync/end_run",
}


@pytest.fixture(scope="module")
def processes() -> Processes:
    return preloaded("tests.support.killed_proof")


class Scene:
    """A company whose copy is damaged again and again, and proofs that die of it."""

    def __init__(
        self, bench: Workbench, keys: Keys, processes: Processes, books: Bookkeeper, company: Company
    ) -> None:
        self.bench, self.keys, self.processes, self.company = bench, keys, processes, company
        self._books = books
        self._customer = books.customer("Regular")

    def damage(self, seed: int) -> None:
        """Do one damage of each kind, to books in which there is enough of everything."""
        self._books.pay(self._customer, "10", ("Invoice", self._books.invoice(self._customer, "30"), "10"))
        self.bench.sync(self.company)
        vandal = Vandal(self.bench, self.company, self._books, seed)
        for kind in KINDS:
            while getattr(vandal, kind)() is None:
                continue  # QuickBooks forbids it of this record

    def prove_elsewhere(self, point: str, nth: int, reached: Path | None = None) -> int | None:
        """Prove in a process that dies at a point, and return its exit code."""
        process = self.processes.Process(
            target=killed_proof.prove, args=(self.keys, self.company.company_id, point, nth, reached)
        )
        process.start()
        process.join(PATIENCE)
        return process.exitcode

    def proofs(self) -> list[tuple[str, bool]]:
        """Return the verdicts there are, and whether each is of a run that was killed."""
        return self.bench.db.execute(
            "select proof.verdict, run.dag_id = 'killed' from proof.proof inner join sync.run using (run_id)"
            " order by proof_id"
        ).fetchall()

    def differences(self) -> list[str]:
        """Return how Peakflo's tables differ from the books, but for the row that QuickBooks never had."""
        self.bench.db.execute(
            "delete from peakflo.invoice where source_id like '9______' and deleted_at is not null"
        )
        return truth.differences(self.bench.db, self.bench.sandbox, self.company)


@pytest.fixture
def scene(
    bench: Workbench, keys: Keys, processes: Processes, keep_books: Callable[[Company], Bookkeeper]
) -> Scene:
    # Days pass, and what a kill does to tokens that are being renewed is another test's.
    bench.sandbox.change_settings(access_token_seconds=YEAR)
    company = bench.imported("demo", company_id="acme")
    return Scene(bench, keys, processes, keep_books(company), company)


def survey(scene: Scene, folder: Path) -> list[str]:
    """Return the points that a proof with repairs comes to."""
    scene.damage(0)
    log = folder / "points"
    assert scene.prove_elsewhere(ANY, 0, log) == 0
    assert scene.differences() == []
    return log.read_text().splitlines()


def test_a_proof_killed_at_any_point_proves_nothing_wrong_and_the_next_one_finishes(
    scene: Scene, tmp_path: Path
):
    points = survey(scene, tmp_path)
    assert set(PHASES.values()) <= set(points)
    assert UNNAMED not in points
    first = random.Random(7).randrange(STRIDE)
    # A proof comes to some points more or fewer each time, and to the last of them perhaps not.
    anywhere = [(ANY, number + 1) for number in range(first, points.index("proof/save"), STRIDE)]
    for seed, (point, nth) in enumerate([*anywhere, *((each, 1) for each in PHASES.values())], 1):
        scene.damage(seed)
        proofs, damaged = scene.proofs(), scene.differences()
        assert scene.prove_elsewhere(point, nth) == -signal.SIGKILL, (point, nth)
        left = scene.differences()
        assert records(left) <= records(damaged), (point, nth, left)
        assert scene.proofs() == proofs or left == [], (point, nth)
        _, found = when_free(lambda: prove(scene.bench, scene.company))
        assert scene.differences() == [], (point, nth, found)
        assert all(each["is_repaired"] or each["is_explained"] for each in found), (point, nth)


def records(differences: list[str]) -> set[str]:
    """Return which records differ: one that was lost may be back, in the version that is staged."""
    return {found[0] for each in differences if (found := re.match(r"\w+ \(.*?\)", each))}


def test_a_killed_proof_is_told_from_one_that_ended(scene: Scene):
    assert scene.prove_elsewhere("proof/save", 1) == -signal.SIGKILL
    assert scene.proofs() == []
    when_free(lambda: prove(scene.bench, scene.company))
    assert scene.bench.db.execute(
        "select state, error_code from sync.run where dag_id = 'killed'"
    ).fetchall() == [("failed", "killed")]
    assert [is_killed for _, is_killed in scene.proofs()] == [False]
