"""Processes that tests kill in the middle of their work, each started in milliseconds."""

from __future__ import annotations

import multiprocessing
import time
from typing import TYPE_CHECKING, TypeVar

from include.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import ForkServerContext as Processes

PATIENCE = 60  # seconds
T = TypeVar("T")


def preloaded(*modules: str) -> Processes:
    """Return what starts processes in which everything is imported already: once, before they fork."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(modules))
    return context


def when_free(work: Callable[[], T]) -> T:
    """Do some work as soon as the database has noticed that the process that held the company is dead."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return work()
        except BusyError:
            assert time.monotonic() < deadline
            time.sleep(0.002)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens by itself."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)
