"""Pieces of work for many companies, in a bounded number of tasks; one company's failure stops no other's."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from include.errors import BatchError, BusyError
from include.receivables.company import problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

logger = logging.getLogger(__name__)

# Airflow starts about seven tasks a second on two cores: companies beyond this many share tasks.
MOST_TASKS = 50
THREADS = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What a job did; plain data, without any record.

    :param entities: per entity: read, changed, merged, deleted, calls, seconds.
    :param calls: metered calls.
    """

    company_id: str
    calls: int = 0
    seconds: float = 0.0
    entities: dict[str, dict[str, Any]] = field(default_factory=dict)


def split(company_ids: Sequence[str], *, most: int = MOST_TASKS) -> list[list[str]]:
    """Split companies into a bounded number of tasks: one each while there are few."""
    return [list(company_ids[first::most]) for first in range(min(most, len(company_ids)))]


def show_command(company_id: str) -> str:
    """Return the command that shows a company."""
    return f"bin/receivables company show {company_id}"


def run_batch(
    company_ids: Sequence[str],
    job: Callable[[str], Outcome],
    *,
    place_of: Callable[[str], str] = show_command,
) -> list[Outcome]:
    """
    Run a job for each company of a batch, some at once; one company's failure does not stop the others.

    :param place_of: where a company is shown, for the log.
    :return: what was done; a company that another process is at work on is left to that process.
    :raises ReceivablesError: the only company's own error.
    :raises BatchError: which companies failed and why, after all have been tried.
    """
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        futures = {company_id: pool.submit(job, company_id) for company_id in company_ids}
    outcomes: list[Outcome] = []
    failures: dict[str, Exception] = {}
    for company_id, future in futures.items():
        try:
            outcomes.append(future.result())
        except BusyError as error:
            logger.warning("%s", error)
        except Exception as error:
            # The task fails with it, which is an error in its log; what a person has to do is said where it begins.
            logger.warning("%s", problems.say_failure(company_id, error, place_of(company_id)))
            failures[company_id] = error
    if failures:
        raise next(iter(failures.values())) if len(company_ids) == 1 else BatchError(failures)
    return outcomes


def summarize(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """Return what a batch did as counts per company: what a task may hand on."""
    return {outcome.company_id: asdict(outcome) for outcome in outcomes}
