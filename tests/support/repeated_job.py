"""Runs a job again and again in a process of its own, for tests that kill it."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING

from include.errors import BusyError
from include.receivables.company.run_context import RunContext
from include.receivables.inbound import jobs

if TYPE_CHECKING:
    from multiprocessing.connection import Connection as Pipe

    from tests.support.other_process import Keys


def repeat(keys: Keys, company_id: str, job: str, ready: Pipe) -> None:
    """
    Repeat a job until the process is killed.

    :param job: its name in :mod:`include.receivables.inbound.jobs`.
    :param ready: told when the work begins.
    """
    access = keys.access()
    ready.send(os.getpid())
    for number in itertools.count():
        run_context = RunContext("killed", f"{os.getpid()}-{number}")
        try:
            getattr(jobs, job)(access, company_id, run_context)
        except BusyError:
            continue  # the database has not noticed yet that the process before was killed
