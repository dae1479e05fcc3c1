"""A service that died in mid-run is told from forty failing tests."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from ci_kit.errors import CallerMistake
from ci_kit.process import Completed
from ci_kit.service import Service
from ci_kit.test.services import container_log, find_dead


class Docker:
    """A docker that knows one container, or none at all."""

    def __init__(self, answers: Mapping[str, str] | None) -> None:
        self._answers = answers
        self.asked: list[tuple[str, ...]] = []

    def run(self, argv: Sequence[str], **_: object) -> Completed:
        self.asked.append(tuple(argv))
        if self._answers is None:
            raise CallerMistake("cannot start docker.", next_step="")
        return Completed(tuple(argv), 0, self._answers[argv[1]], 0.1)


class Still:
    """A clock that counts pauses."""

    def __init__(self) -> None:
        self.pauses = 0

    def sleep(self, _seconds: float) -> None:
        self.pauses += 1


class World:
    """The tools that are asked here."""

    def __init__(self, docker: Docker) -> None:
        self.runner, self.clock = docker, Still()


KNOWN = {"ps": "abc\nold\n", "inspect": "exited, exit code 137, out of memory: true\n", "logs": "first\nlast words\n"}


@pytest.fixture
def closed_port() -> int:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        port: int = server.getsockname()[1]
    return port


def test_a_dead_service_is_named_with_its_containers_end(closed_port: int) -> None:
    world: Any = World(docker := Docker(KNOWN))
    services = {"redis": Service("redis:7", ready=f"tcp://127.0.0.1:{closed_port}")}
    said = find_dead(services, world) or ""
    assert "The service redis (tcp://127.0.0.1:" in said
    assert "out of memory: true" in said
    assert "last words" in said
    assert world.clock.pauses == 2
    assert [argv[-1] for argv in docker.asked] == ["ancestor=redis:7", "abc", "abc"]


def test_without_docker_and_without_a_container(closed_port: int) -> None:
    services = {"redis": Service("redis:7", ready=f"tcp://127.0.0.1:{closed_port}")}
    for docker in (Docker(None), Docker(KNOWN | {"ps": ""})):
        world: Any = World(docker)
        assert "not at hand" in (find_dead(services, world) or "")
        assert "not at hand" in container_log("redis:7", world)


def test_a_service_that_answers_is_not_dead() -> None:
    world: Any = World(Docker(None))
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        ready = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        assert find_dead({"a": Service("x", ready=ready), "b": Service("y")}, world) is None
    assert world.clock.pauses == 0
