"""Runs the sandbox as a process."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from typing import TYPE_CHECKING

import uvicorn

from sandbox.app import build
from sandbox.connections import TrackedProtocol
from sandbox.sandbox import CLIENT_ID, CLIENT_SECRET, Sandbox

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sandbox.webhooks import WebhookSettings


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    names: Sequence[str] = (),
    data: Path | None = None,
    seed: int = 7,
    port_file: Path | None = None,
    client_id: str = CLIENT_ID,
    client_secret: str = CLIENT_SECRET,
    webhooks: WebhookSettings | None = None,
) -> None:
    """
    Serve until SIGTERM or SIGINT.

    :param port: 0 for a free one.
    :param names: what this machine is called by those who may use the control API.
    :param data: the SQLite file that keeps everything.
    :param port_file: where to write the port once the server listens.
    :param webhooks: where changes are told.
    :raises OSError: when the port is taken.
    """
    sandbox = Sandbox(
        seed=seed, data=data, client_id=client_id, client_secret=client_secret, webhooks=webhooks
    )
    config = uvicorn.Config(
        build(sandbox, frozenset({host, *names})),
        http=TrackedProtocol,
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    with contextlib.closing(_listen(host, port)) as listener:
        bound = listener.getsockname()[1]
        print(f"The QuickBooks sandbox is at http://{host}:{bound}", flush=True)
        if port_file is not None:
            _write_atomically(port_file, str(bound))
        _ignore_signals_after_shutdown()
        uvicorn.Server(config).run(sockets=[listener])
    sandbox.storage.close()


def _ignore_signals_after_shutdown() -> None:
    """Let uvicorn end in peace: once it is down, it raises the signal again, which would kill the process."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(2048)
    return listener


def _write_atomically(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(path)
