"""Where metrics go: a StatsD server, and a collector of OpenTelemetry, that keep what they are sent."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST = 65_535
POLL_SECONDS = 0.1

# A figure's name with its tags, sorted.
Name = tuple[str, frozenset[tuple[str, str]]]


@dataclass
class Collector:
    """Keeps the last value of each gauge."""

    port: int = 0
    gauges: dict[Name, float] = field(default_factory=dict)

    def value(self, name: str, **tags: str) -> float:
        """Return the last value of a gauge."""
        return self.gauges[name, frozenset(tags.items())]

    def named(self, prefix: str) -> set[str]:
        """Return the names, without tags, that begin so."""
        return {name for name, _ in list(self.gauges) if name.startswith(prefix)}


@contextmanager
def running_statsd(port: int = 0) -> Iterator[Collector]:
    """Listen as a StatsD server does, to plain names and to names with tags in InfluxDB's style."""
    collector, is_over = Collector(), threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", port))
        listener.settimeout(POLL_SECONDS)
        collector.port = listener.getsockname()[1]

        def listen() -> None:
            while not is_over.is_set():
                try:
                    packet = listener.recv(LARGEST).decode()
                except TimeoutError:
                    continue
                for line in packet.splitlines():
                    name, _, value = line.partition(":")
                    number, _, kind = value.partition("|")
                    if kind == "g":
                        plain, *tags = name.split(",")
                        pairs = (tag.partition("=") for tag in tags)
                        collector.gauges[plain, frozenset((key, text) for key, _, text in pairs)] = float(
                            number
                        )

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield collector
        finally:
            is_over.set()
            thread.join()


@contextmanager
def running_otel_collector() -> Iterator[Collector]:
    """Take metrics as a collector of OpenTelemetry does, over HTTP."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/metrics"
            request = ExportMetricsServiceRequest.FromString(
                self.rfile.read(int(self.headers["Content-Length"]))
            )
            for resource in request.resource_metrics:
                for scope in resource.scope_metrics:
                    for metric in scope.metrics:
                        for point in metric.gauge.data_points:
                            tags = frozenset((tag.key, tag.value.string_value) for tag in point.attributes)
                            collector.gauges[metric.name, tags] = point.as_double or float(point.as_int)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.port = server.server_port
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
