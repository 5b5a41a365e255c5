"""A mail server: keeps what it is sent, and refuses, stalls or hangs up as a test wishes."""

from __future__ import annotations

import json
import socketserver
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage


@dataclass(frozen=True)
class Received:
    """A mail, and where its envelope says that it goes."""

    recipients: list[str]
    mail: EmailMessage

    def part(self, subtype: str) -> str:
        """Return the text of its part ``plain`` or ``html``."""
        part = self.mail.get_body(preferencelist=(subtype,))
        assert part is not None
        return str(part.get_content())


@dataclass
class MailServer:
    """
    Takes mail.

    :param refused: addresses that it takes no mail for.
    :param answer: what it says to a mail.
    :param hangs_up: whether it takes a mail and then hangs up without a word.
    """

    port: int = 0
    received: list[Received] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    answer: str = "250 2.0.0 taken"
    hangs_up: bool = False

    def connection(self, **changes: object) -> str:
        """Return the Airflow connection to it."""
        extra = {"from_email": "alerts@example.com", "disable_ssl": True, "disable_tls": True, "timeout": 10}
        return json.dumps(
            {"conn_type": "smtp", "host": "127.0.0.1", "port": self.port, "extra": extra} | changes
        )


@contextmanager
def running_mail_server(port: int = 0) -> Iterator[MailServer]:
    """Run one, on a free port unless it is given one."""
    mail = MailServer()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            recipients: list[str] = []
            self._say("220 mail.example ready")
            while line := self.rfile.readline().decode().strip():
                verb, _, rest = line.partition(" ")
                match verb.upper():
                    case "EHLO" | "HELO":
                        self._say("250-mail.example\r\n250 8BITMIME")
                    case "RCPT":
                        address = rest.partition("<")[2].partition(">")[0]
                        if address in mail.refused:
                            self._say("550 5.1.1 no such mailbox")
                        else:
                            recipients.append(address)
                            self._say("250 2.1.5 fine")
                    case "DATA":
                        self._say("354 go on")
                        body = self._read_mail()
                        if mail.answer.startswith("2"):
                            parsed = message_from_bytes(body, policy=policy.default)
                            mail.received.append(Received(recipients, parsed))
                        if mail.hangs_up:
                            return
                        self._say(mail.answer)
                        recipients = []
                    case "QUIT":
                        self._say("221 2.0.0 bye")
                        return
                    case "AUTH":
                        self._say("535 5.7.8 wrong password")
                    case _:
                        self._say("250 2.0.0 fine")

        def _read_mail(self) -> bytes:
            lines = []
            while (line := self.rfile.readline()) != b".\r\n":
                lines.append(line[1:] if line.startswith(b"..") else line)
            return b"".join(lines)

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", port), Handler) as server:
        mail.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield mail
        finally:
            server.shutdown()
