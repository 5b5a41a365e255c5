"""Work that has to be done by a moment: what is late goes on by itself, and nobody waits for it."""

from __future__ import annotations

import time
from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Deadline:
    """
    A moment by which something has to be done.

    :param seconds: from now.
    """

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """How many seconds are left; none once it has passed."""
        return max(0.0, self._at - time.monotonic())


def in_background(work: Callable[[], T]) -> Future[T]:
    """Start work on a thread that keeps neither its caller nor the process waiting."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)

    Thread(target=run, daemon=True).start()
    return future
