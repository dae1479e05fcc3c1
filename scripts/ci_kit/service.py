"""The services of a tier: containers beside its tests, on which ports, and how one knows that they are up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ci_kit import schema

SERVICE_SLOTS = 4
MOST_PORT = 65535


@dataclass(frozen=True)
class Service:
    """A container that a tier needs, ready for GitHub's `services`.

    `ports` are `host:container[/protocol]`, always with both: for a lone port, Docker would choose a host port by chance.
    `ready` None: there is no port that can be probed.
    """

    image: str
    ports: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    options: str = ""
    ready: str | None = None


def wrong_services(place: schema.Place, services: Mapping[str, Any]) -> list[tuple[schema.Place, str]]:
    """What a schema cannot say of a tier's services: how many fit, and ports that can be had, each but once."""
    wrong: list[tuple[schema.Place, str]] = []
    if len(services) > SERVICE_SLOTS:
        wrong.append(((*place, "services"), f"expected at most {SERVICE_SLOTS} services, found {len(services)}"))
    owners: dict[tuple[str, str], str] = {}
    for name, service in services.items():
        for index, written in enumerate(service.get("ports", ())):
            here = (*place, "services", name, "ports", index)
            port = _port(written)
            if not all(1 <= int(number) <= MOST_PORT for number in (port.host, port.container)):
                wrong.append((here, f"expected ports from 1 to {MOST_PORT}, found {written!r}"))
            key = (str(int(port.host)), port.protocol)
            if key in owners:
                wrong.append((here, f"the port {port.host} of this machine is taken by the service {owners[key]!r}"))
            owners[key] = name
    return wrong


def environment(data: Mapping[str, Any]) -> dict[str, str]:
    """Values as a process gets them: all text, true and false in lower case."""
    return {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in data.items()}


@dataclass(frozen=True)
class _Port:
    host: str
    container: str
    protocol: str

    def __str__(self) -> str:
        return f"{self.host}:{self.container}" + ("" if self.protocol == "tcp" else f"/{self.protocol}")


def _port(written: float | str) -> _Port:
    """`6379`, `5433:5432` or `53/udp`; a lone number is the port on both sides."""
    numbers, _, protocol = (written if isinstance(written, str) else str(int(written))).partition("/")
    host, _, container = numbers.partition(":")
    return _Port(host, container or host, protocol or "tcp")


def build_service(data: Mapping[str, Any]) -> Service:
    """A service from its mapping in the configuration, which is valid."""
    ports = tuple(_port(written) for written in data.get("ports", ()))
    probed = next((f"tcp://127.0.0.1:{port.host}" for port in ports if port.protocol == "tcp"), None)
    return Service(
        image=data["image"],
        ports=tuple(map(str, ports)),
        env=environment(data.get("env", {})),
        options=data.get("options", ""),
        ready=data.get("ready", probed),
    )
