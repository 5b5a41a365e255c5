"""What docker-compose.yaml describes, each of its containers on a host of its own."""

from __future__ import annotations

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from threading import Event
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from local.directory import ROOT
from local.embedded_postgres import USER, password_of
from tests.support import compose
from tests.support.containers import Confinement, Container, Image, build_image
from tests.support.network import SUBNET, Network, address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

PROXY = "examples/proxy/compose.yaml"
PROXY_NUMBER = 2  # the last part of the address that it has there
FIRST_NUMBER = 10
START_SECONDS = 300
LOOK_SECONDS = 0.5
# Of the services that run only if somebody asks for them.
PROFILES = {"sandbox"}
CHECK_SECONDS = 60  # for a check on a machine that all the hosts share


@dataclass
class Host:
    """
    A host that runs one container.

    :param number: the last part of its address.
    """

    name: str
    number: int
    service: Mapping[str, Any]
    container: Container
    port: str = ""
    is_healthy: bool = False
    is_gone: bool = False
    began_at: list[float] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Where it is found on the network."""
        return address(self.number)

    @property
    def is_due(self) -> bool:
        """Whether its container is not running and should be, by the service's restart policy."""
        if self.is_gone or (self.began_at and self.container.exit_code is None):
            return False
        return not self.began_at or self.service["restart"] != "no"

    def look(self) -> None:
        """Find out whether it has become healthy."""
        if "healthcheck" in self.service and self.began_at and self.container.exit_code is None:
            self.is_healthy = self.is_well()

    def is_well(self) -> bool:
        """Tell whether its health check passes now."""
        with suppress(subprocess.TimeoutExpired):
            command = compose.health_check(self.service)
            return self.container.execute(command, timeout=CHECK_SECONDS).returncode == 0
        return False


CONDITIONS: dict[str, Callable[[Host], bool]] = {
    "service_healthy": lambda host: host.is_healthy,
    "service_completed_successfully": lambda host: host.container.exit_code == 0,
}


def _number(service: Mapping[str, Any]) -> int:
    """Return the last part of the address that a service has to have; 0 where any will do."""
    given = service.get("networks", {}).get("default", {}).get("ipv4_address", "")
    return int(given.removeprefix(SUBNET)) if given else 0


class SeveralHosts:
    """
    An installation by docker-compose.yaml, the sandbox among it, behind the proxy of examples/proxy.

    :param folder: for volumes and what the programs print.
    :param scale: how many hosts a service has, where it is not one.
    :param settings: variables that are set besides in each part of Airflow.
    """

    def __init__(
        self,
        folder: Path,
        *,
        scale: Mapping[str, int] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.began_at = time.monotonic()
        self.folder = folder
        self.values = compose.filled_in()
        # Told from the administrator's, as tests know the sync's everywhere.
        secret = self.values["POSTGRES_PASSWORD"]
        self.values["SYNC_DB_PASSWORD"] = password_of("receivables_sync", secret)
        self.values["AIRFLOW_HOST"] = address(PROXY_NUMBER)
        self.network = Network()
        self._settings = dict(settings or {})
        self._images: dict[str, Image] = {}
        self._numbers = count(FIRST_NUMBER)
        self._services = compose.services(self.values, PROXY)
        self.hosts = [
            self._new_host(name, each + 1)
            for name, service in self._services.items()
            if PROFILES.issuperset(service.get("profiles", ()))
            for each in range((scale or {}).get(name, 1))
        ]
        self._write_names()
        self._is_over = Event()
        # Containers end with the thread that has started them.
        self._engine = ThreadPoolExecutor(max_workers=1)
        self._at_work = self._engine.submit(self._work)

    @property
    def api_url(self) -> str:
        """The URL of Airflow, which leads to whichever API server is there."""
        return f"https://{self['proxy-1'].address}"

    @property
    def sandbox_url(self) -> str:
        """The URL of the QuickBooks sandbox."""
        return f"http://{self['sandbox-1'].address}:8081"

    @property
    def database_url(self) -> str:
        """The URL of the receivables database, for somebody who may do everything there."""
        host = self["postgres-1"]
        given = host.service["environment"]
        name = urlsplit(
            self["airflow-scheduler-1"].service["environment"]["AIRFLOW_CONN_RECEIVABLES_DB"]
        ).path
        return f"postgresql://{USER}:{given['POSTGRES_PASSWORD']}@{host.address}:5432{name}"

    @property
    def fernet_key(self) -> str:
        """The key of its secrets."""
        return self.values["AIRFLOW_FERNET_KEY"]

    @property
    def passwords(self) -> dict[str, str]:
        """The password of each Airflow user."""
        return {"admin": self.values["ADMIN_PASSWORD"], "reminder": self.values["REMINDER_PASSWORD"]}

    @contextmanager
    def visited(self) -> Iterator[None]:
        """Be on their network with this thread and what it starts, and trust the proxy, once everything is healthy."""
        authority = self.folder / "volumes/proxy-1/proxy/caddy/pki/authorities/local/root.crt"
        with self.network.entered(), pytest.MonkeyPatch.context() as patch:
            self.wait_until_healthy()
            self._wait_until(authority.exists, lambda: "the proxy has no certificate")
            patch.setenv("REQUESTS_CA_BUNDLE", str(authority))
            yield

    def __getitem__(self, name: str) -> Host:
        """Return a host by its name, such as ``redis-1``."""
        return next(host for host in self.hosts if host.name == name)

    @property
    def checked(self) -> list[Host]:
        """The hosts that are to be healthy."""
        return [host for host in self.hosts if "healthcheck" in host.service and not host.is_gone]

    def of(self, service: str) -> list[Host]:
        """Return the hosts of a service."""
        return [host for host in self.hosts if host.name.rpartition("-")[0] == service]

    def wait_until_healthy(self) -> None:
        """Wait until everything that is to stay is healthy by compose's own checks."""
        self._wait_until(lambda: not self._awaited(), lambda: f"{self._awaited()} are not healthy")

    def run_again(self, name: str) -> None:
        """Run a container that ends by itself once more, to its end."""
        self[name].began_at.clear()
        self._wait_until_ended(self[name])

    def cut(self, host: Host) -> None:
        """Cut a host off: it goes on, and nobody hears of it."""
        self.network.cut(host.port)

    def lose(self, host: Host) -> None:
        """Lose a host for good, all at once."""
        host.is_gone = True
        host.container.kill()

    def close(self) -> None:
        """End everything."""
        self._is_over.set()
        self._engine.shutdown()
        for host in self.hosts:
            host.container.kill()
        self.network.close()

    def release(self, change: Callable[[Path], None]) -> None:
        """
        Build another release of our image, which whatever is made from now on runs.

        :param change: told in which folder the image's files are.
        """
        reference = self._services["airflow-scheduler"]["image"]
        self._images[reference] = build_image(reference, self.folder / f"image{len(self._images)}.next")
        change(self._images[reference].layer)

    def run(self, service: str, *arguments: str) -> None:
        """Run a container of a service, which ends by itself, with a command of the caller's or its own."""
        self._wait_until_ended(self._add(service, *arguments))

    def replace(self, service: str, *, beside: bool) -> None:
        """
        Replace the hosts of a service by new ones.

        :param beside: whether the new ones begin their work before the old ones end theirs.
        """
        old = [host for host in self.of(service) if not host.is_gone]
        if not beside:
            self._retire(old)
        for _ in old:
            self._add(service)
        self.wait_until_healthy()
        if beside:
            self._retire(old)

    def _awaited(self) -> list[str]:
        return [host.name for host in self.checked if not host.is_healthy]

    def _wait_until_ended(self, host: Host) -> None:
        self._wait_until(
            lambda: bool(host.began_at) and host.container.exit_code is not None,
            lambda: f"{host.name} does not end",
        )

    def _wait_until(self, condition: Callable[[], bool], tell: Callable[[], str]) -> None:
        """Wait for something, unless the engine or a container that ends by itself fails before."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            is_met = condition()
            if self._at_work.done():
                self._at_work.result()
            failed = [
                host.name
                for host in self.hosts
                if host.service["restart"] == "no" and host.container.exit_code
            ]
            assert not failed, f"{failed} failed, see {self.folder}"
            if is_met:
                return
            assert time.monotonic() < deadline, f"{tell()}, see {self.folder}"
            time.sleep(LOOK_SECONDS)

    def _add(self, service: str, *command: str) -> Host:
        host = self._new_host(service, len(self.of(service)) + 1, command)
        self.hosts.append(host)
        self._write_names()
        return host

    def _retire(self, hosts: list[Host]) -> None:
        for host in hosts:
            host.is_gone = True
        self._write_names()
        for host in hosts:
            host.container.stop(compose.seconds(host.service.get("stop_grace_period", "10s")))

    def _new_host(self, service: str, each: int, command: tuple[str, ...] = ()) -> Host:
        given = {**self._services[service], **({"command": list(command)} if command else {})}
        container = self._container(given, f"{service}-{each}")
        return Host(f"{service}-{each}", _number(given) or next(self._numbers), given, container)

    def _work(self) -> None:
        """Start what may start, and again what has ended, as the container engine does."""
        while not self._is_over.wait(LOOK_SECONDS):
            for host in self.hosts:
                if host.is_due and self._has_what_it_needs(host):
                    self._start(host)
                elif not host.is_healthy:
                    host.look()

    def _has_what_it_needs(self, host: Host) -> bool:
        if host.began_at:
            return True
        needs = host.service.get("depends_on", {})
        return all(
            CONDITIONS[needed["condition"]](other)
            for name, needed in needs.items()
            for other in self.of(name)
            if not other.is_gone
        )

    def _start(self, host: Host) -> None:
        host.is_healthy = False
        host.port = self.network.connect(host.container.create(), host.number)
        host.container.run()
        host.began_at.append(time.monotonic())

    def _container(self, service: Mapping[str, Any], hostname: str) -> Container:
        reference = service["image"]
        if reference not in self._images:
            self._images[reference] = build_image(reference, self.folder / f"image{len(self._images)}")
        image = self._images[reference]
        confinement = Confinement(service, image)
        is_airflow = "AIRFLOW__CORE__EXECUTOR" in service.get("environment", {})
        return Container(
            hostname,
            confinement,
            self.folder,
            entrypoint=compose.words(service.get("entrypoint", image.entrypoint)),
            command=compose.words(service.get("command", [])),
            environment={**service["environment"], **(self._settings if is_airflow else {})},
            volumes=(
                *self._files,
                *(self._volume(each, hostname, confinement.owner) for each in service.get("volumes", ())),
            ),
        )

    def _volume(self, volume: str, hostname: str, owner: tuple[int, int]) -> tuple[Path, str]:
        """Return a volume's folder, which is the host's own, or the file of the repository that it is."""
        source, target = volume.split(":")[:2]
        if source.startswith(".") and (ROOT / source).exists():
            return ROOT / source, target
        folder = self.folder / "volumes" / hostname / source
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, *owner)
        return folder, target

    def _write_names(self) -> None:
        """Write what the engine's name server would say: a service is found by its name, and each host by its own."""
        lines = ["127.0.0.1 localhost\n"]
        lines += [
            f"{host.address} {host.name} {host.name.rpartition('-')[0]}\n"
            for host in self.hosts
            if not host.is_gone
        ]
        text = "".join(lines)
        for name in ("hosts", "resolv.conf"):
            (self.folder / name).touch()
        # In its place, where each host has it, and never without a line that stays.
        with (self.folder / "hosts").open("r+") as file:
            file.write(text)
            file.truncate()

    @property
    def _files(self) -> list[tuple[Path, str]]:
        return [(self.folder / name, f"/etc/{name}") for name in ("hosts", "resolv.conf")]
