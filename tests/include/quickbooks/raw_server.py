"""An HTTP server that answers what a test tells it to, for answers that a sandbox does not send."""

from __future__ import annotations

import socket
import struct
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Answer:
    """
    :param body: sent as it is, but for %TOKEN%: that becomes the access token of the request.
    :param length: the Content-Length to claim, if it is not the body's.
    :param is_reset: close the connection without an answer.
    :param wait_for: answer only after this event.
    """

    status: int = 200
    body: bytes | str = b""
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    is_reset: bool = False
    wait_for: threading.Event | None = None

    @property
    def content(self) -> bytes:
        return self.body.encode() if isinstance(self.body, str) else self.body

    def content_for(self, authorization: str) -> bytes:
        return self.content.replace(b"%TOKEN%", authorization.removeprefix("Bearer ").encode())


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about a client that went away, which tests of timeouts bring about."""


class RawServer:
    """Answers in the order given; the last answer is repeated."""

    def __init__(self) -> None:
        self.answers: deque[Answer] = deque()
        self.received: list[Received] = []
        self._arrival = threading.Condition()
        self._server = _QuietServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, *answers: Answer) -> None:
        self.answers.extend(answers)

    def receives(self, count: int, *, within: float) -> bool:
        """Wait until so many requests have arrived, at most so many seconds."""
        with self._arrival:
            return self._arrival.wait_for(lambda: len(self.received) >= count, timeout=within)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def next_answer(self, received: Received) -> Answer:
        with self._arrival:
            self.received.append(received)
            self._arrival.notify_all()
            return self.answers.popleft() if len(self.answers) > 1 else self.answers[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 5

            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                self._send(
                    owner.next_answer(Received(self.command, self.path, dict(self.headers.items()), body))
                )

            do_POST = do_GET  # noqa: N815

            def _send(self, answer: Answer) -> None:
                if answer.wait_for:
                    answer.wait_for.wait(timeout=30)
                self.close_connection = True
                if answer.is_reset:
                    # Lingering for no time makes the kernel send a reset in place of an orderly close.
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                content = answer.content_for(self.headers.get("Authorization") or "")
                length = len(content) if answer.length is None else answer.length
                self.send_header("Content-Length", str(length))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: Any) -> None:
                """Keep the test's output clean."""

        return Handler
