"""Which services a run needs: those written out in its workflows, and those that the kit's configuration will start."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from ci_kit.act import references, tree
from ci_kit.act.workflows import Parsed
from ci_kit.config import load_config
from ci_kit.errors import CallerMistake

LOOPBACK = r"(?:127\.0\.0\.1:|0\.0\.0\.0:)?"


@dataclass(frozen=True)
class Service:
    """A service that a job or the configuration asks for: which image, on which port of this machine."""

    image: str
    port: int
    env: tuple[tuple[str, str], ...] = ()

    @property
    def kind(self) -> str:
        """`redis` for `docker.io/library/redis:7-alpine`."""
        return re.split(r"[:@]", self.image.rsplit("/", 1)[-1])[0]


@dataclass(frozen=True)
class Needed:
    """What to start, and what a person must know about the rest."""

    services: tuple[Service, ...]
    warnings: tuple[str, ...] = ()


def needed(files: Sequence[Parsed], top: Sequence[Parsed], workspace: Path) -> Needed:
    """The services of the started workflows `top`, of the repository's own ones that they call, and of their calls.

    `workspace` is the repository as the jobs see it.
    """
    started = _with_called(files, top)
    written, configured = _written(started), _configured(started, workspace)
    services = dict.fromkeys([*written.services, *configured.services])
    return Needed(tuple(services), tuple(dict.fromkeys([*written.warnings, *configured.warnings])))


def service_of(image: str, ports: Iterable[str], env: Mapping[str, str]) -> Service | None:
    """A service from its mapping; None without an image, or without a port that is mapped to one of this machine."""
    port = next((found for found in map(_host_port, ports) if found), None)
    return Service(image, port, tuple(sorted(env.items()))) if image and "${{" not in image and port else None


def expand_port(text: str) -> str:
    """A lone port of the kit's configuration as the plan writes it: `6379` means `6379:6379`."""
    number, protocol = _lone(text)
    return f"{number}:{number}{protocol}" if number else text


def _host_port(text: str) -> int | None:
    match = re.fullmatch(LOOPBACK + r"([0-9]+):[0-9]+(?:/tcp)?", text)
    return int(match[1]) if match else None


def _lone(text: str) -> tuple[str, str]:
    match = re.fullmatch(r"([0-9]+)(/tcp|/udp)?", text)
    return (match[1], match[2] or "") if match else ("", "")


def _with_called(files: Sequence[Parsed], top: Sequence[Parsed]) -> list[Parsed]:
    own = {f"{prefix}{file.name}": file for file in files if file.is_workflow for prefix in ("./", "$/")}
    found = list(top)
    for file in found:
        called = (own.get(tree.text(job, "uses") or "") for _, job in _jobs(file))
        found += [each for each in called if each is not None and each not in found]
    return found


def _written(files: Iterable[Parsed]) -> Needed:
    """The services that are written out in full; expressions are known only at run time."""
    services, warnings = [], []
    for file in files:
        for _, job in _jobs(file):
            for name, node in tree.items(tree.get(job, "services")):
                image, ports = tree.text(node, "image") or "", tree.entries(node, "ports")
                env = {key: str(value.value) for key, value in tree.items(tree.get(node, "env"))}
                service = service_of(image, [str(port.value) for port in ports], env)
                services += [service] if service else []
                warnings += [_random(file, name, port) for port in ports if _lone(str(port.value))[0]]
    return Needed(tuple(services), tuple(warnings))


def _random(file: Parsed, service: str, port: yaml.Node) -> str:
    number, _ = _lone(str(port.value))
    return (
        f"{file.name}:{port.start_mark.line + 1}: the service {service} gets a random port of the host for its port "
        f"{number} on GitHub, so nothing is started on port {number} here. Write {number}:{number}"
    )


def _configured(files: Iterable[Parsed], workspace: Path) -> Needed:
    """What the kit's configuration puts into the service slots of the kit's workflow at run time.

    Which configuration that is, the calling job says. A job that uses the kit's actions as steps gets no services.
    """
    services: list[Service] = []
    warnings = []
    for file in files:
        for name, job in _jobs(file):
            if not _calls_the_kit(tree.text(job, "uses") or ""):
                continue
            given = tree.get(job, "with")
            folder, config = tree.text(given, "working-directory") or ".", tree.text(given, "config") or ""
            if "${{" in folder + config:
                warnings.append(
                    f"{file.name}: the job {name} passes working-directory or config as an expression, so the services "
                    "of its configuration are not started"
                )
                continue
            services += _of_config(workspace, folder, config)
    return Needed(tuple(services), tuple(warnings))


def _calls_the_kit(uses: str) -> bool:
    reference = references.parse(uses)
    return uses.startswith("$/") if reference is None else reference.repository.endswith(f"/{references.KIT_NAME}")


def _of_config(workspace: Path, folder: str, config: str) -> list[Service]:
    """A configuration that is wrong or absent has none: the run itself is what says so."""
    project = (workspace / folder).resolve()
    if not project.is_relative_to(workspace.resolve()):
        return []
    try:
        tiers = load_config(project, Path(config) if config else None).tiers
    except CallerMistake:
        return []
    asked = [service for tier in tiers for service in tier.services.values()]
    found = [service_of(each.image, map(expand_port, each.ports), each.env) for each in asked]
    return [service for service in found if service is not None]


def _jobs(file: Parsed) -> Iterable[tuple[str, yaml.Node]]:
    return tree.items(tree.get(file.node, "jobs"))
