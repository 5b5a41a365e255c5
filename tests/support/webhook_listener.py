"""Somebody whom a sandbox tells of changes: keeps what is posted, and answers as a test wishes."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from tests.support.killing import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import Message

    from sandbox.control import SandboxControl


@dataclass(frozen=True)
class Posted:
    """One request."""

    headers: Message
    body: bytes


@dataclass
class Listener:
    """
    Takes what is posted.

    :param answer: what to answer to the n-th request, counted from 0.
    """

    answer: Callable[[int], int] = lambda number: 200
    posted: list[Posted] = field(default_factory=list)
    url: str = ""

    def wait(self, sandbox: SandboxControl) -> list[Posted]:
        """Wait until the sandbox has told everything, and return and forget it."""
        wait_until(lambda: sandbox.webhooks()["is_idle"])
        told = list(self.posted)
        self.posted.clear()
        return told


@contextmanager
def listening(answer: Callable[[int], int] = lambda number: 200) -> Iterator[Listener]:
    """Listen on a free port."""
    listener = Listener(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            listener.posted.append(Posted(self.headers, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(listener.answer(len(listener.posted) - 1))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        listener.url = f"http://127.0.0.1:{server.server_address[1]}/webhook"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield listener
        finally:
            server.shutdown()
