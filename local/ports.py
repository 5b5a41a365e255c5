"""TCP ports on 127.0.0.1: a wanted one where it is free, else another, the same at the next start."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from local.errors import LocalError
from local.files import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the port now."""
    with socket.socket() as listener:
        # Without it a port that closed a moment ago would count as taken.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
    return port


class Ports:
    """
    The ports of an installation, kept in a file.

    :param file: where they are kept.
    :param wanted: the values of environment variables such as ``AIRFLOW_PORT``.
    :param say: told when a port had to be replaced.
    """

    def __init__(self, file: Path, wanted: dict[str, str], say: Callable[[str], None]) -> None:
        self.file = file
        self.wanted = wanted
        self.say = say

    def choose(self, variable: str, default: int) -> int:
        """
        Return the port to use and keep it for later starts.

        :param variable: the environment variable that may name it; a port named there must be free.
        :param default: the port to use where none was kept.
        """
        kept: dict[str, int] = read_json(self.file)
        named = self.wanted.get(variable)
        port = self._named(variable, named) if named else self._free(variable, kept.get(variable, default))
        write_json(self.file, {**kept, variable: port})
        return port

    @staticmethod
    def _named(variable: str, text: str) -> int:
        if not text.isdecimal() or not 0 < int(text) < 65536:
            raise LocalError(f"{variable}={text} is not a port; give a number from 1 to 65535.")
        if not is_free(int(text)):
            raise LocalError(
                f"Port {text} ({variable}) is in use by another program; stop that program, "
                f"or choose another port with {variable}."
            )
        return int(text)

    def _free(self, variable: str, port: int) -> int:
        if is_free(port):
            return port
        other = free_port()
        self.say(
            f"Port {port} is in use by another program, so {other} is used instead ({variable} sets it)."
        )
        return other
