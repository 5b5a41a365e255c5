"""A proxy before a server that loses, delays and spoils what goes through it, as a test tells it to."""

from __future__ import annotations

import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Literal, Self

import jwt
import requests

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.fixtures_local import RunningStack

    # What becomes of a call, by its method, its path and how many of these there were before.
    Meddle = Callable[[str, str, int], "Deed"]

# lose: carried out, and the connection reset in place of the answer; revoke: the caller is logged out first;
# expire: the caller's token is an old one; drip: answered a byte at a time, for ever.
Deed = Literal["pass", "reset", "lose", "revoke", "expire", "drip"]
DRIP_SECONDS = 0.2
DAY_SECONDS = 24 * 60 * 60


class MeddlingProxy:
    """
    Passes calls on.

    :param stack: whose Airflow is behind it.
    """

    def __init__(self, stack: RunningStack, meddle: Meddle) -> None:
        self._target = stack.api_url
        self._secret = stack.env["AIRFLOW__API_AUTH__JWT_SECRET"]
        self._meddle = meddle
        self._seen: list[tuple[str, str]] = []
        self._is_over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def expired(self, bearer: str) -> str:
        """Return a token as it would be had it been made two days ago."""
        claims = jwt.decode(bearer.removeprefix("Bearer "), options={"verify_signature": False})
        made = {name: claims[name] - 2 * DAY_SECONDS for name in ("iat", "nbf", "exp")}
        return f"Bearer {jwt.encode(claims | made, self._secret, 'HS512')}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def seen(self, method: str, part: str) -> int:
        """Count the calls of a method whose path has a part."""
        return sum(1 for each, path in self._seen if each == method and part in path)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._is_over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 5

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                call = (self.command, self.path)
                deed = owner._meddle(*call, owner._seen.count(call))
                owner._seen.append(call)
                if deed == "reset":
                    self._reset()
                    return
                if deed == "revoke":
                    self._ask("GET", "/api/v2/auth/logout", b"")
                if deed == "expire":
                    self.headers.replace_header("Authorization", owner.expired(self.headers["Authorization"]))
                answer = self._ask(*call, body)
                if deed == "lose":
                    self._reset()
                elif deed == "drip":
                    self._drip()
                else:
                    self._send(answer)

            do_POST = do_GET  # noqa: N815

            def _ask(self, method: str, path: str, body: bytes) -> requests.Response:
                kept = ("Authorization", "Content-Type")
                headers = {name: self.headers[name] for name in kept if self.headers[name]}
                url = owner._target + path
                return requests.request(
                    method, url, data=body, headers=headers, timeout=30, allow_redirects=False
                )

            def _reset(self) -> None:
                # Lingering for no time makes the kernel send a reset in place of an orderly close.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

            def _send(self, answer: requests.Response) -> None:
                self.send_response(answer.status_code)
                self.send_header("Content-Type", answer.headers["Content-Type"])
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            def _drip(self) -> None:
                self.send_response(200)
                self.end_headers()
                while not owner._is_over.wait(DRIP_SECONDS):
                    try:
                        self.wfile.write(b" ")
                    except OSError:
                        return

            def log_message(self, *args: Any) -> None:
                """Keep the test's output clean."""

        return Handler
