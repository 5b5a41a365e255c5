from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox import truth
from sandbox.random_events import run
from sandbox.replays import Replay
from sandbox.sandbox import Sandbox
from sandbox.scribe import Scribe

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_saved_after_each_event_is_read_back_the_same(tmp_path: Path) -> None:
    first = Sandbox(data=tmp_path / "books.sqlite")
    company = first.open_company("Kept", realm_id="1", multicurrency=True)
    Scribe(company.books).customer("Ada")
    for seed in range(60):
        run(company.books, 1, seed)
        first.storage.save(company)
    company.replays.keep("r-1", Replay(1.0, 200, b"{}"))
    first.storage.save(company)
    first.storage.close()

    again = Sandbox(data=tmp_path / "books.sqlite").company("1")
    assert truth.json_of(again.books, with_records=True) == truth.json_of(company.books, with_records=True)
    assert again.replays.kept == company.replays.kept
    assert dict(again.books.sequences) == dict(company.books.sequences)
    assert run(again.books, 40, 99) == run(company.books, 40, 99)
    assert truth.of(again.books)["trial_balance"] == truth.of(company.books)["trial_balance"]


def test_without_a_file_nothing_is_kept_and_nothing_fails() -> None:
    sandbox = Sandbox()
    company = sandbox.open_company("Gone", realm_id="1")
    sandbox.storage.save(company)
    sandbox.set_clock(5)
    assert Sandbox().companies == {}
