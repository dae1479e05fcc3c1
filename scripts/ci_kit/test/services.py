"""Ask, after a failure, whether the services of the tier still answer; of one that does not, show its container's log."""

from __future__ import annotations

from collections.abc import Mapping

from ci_kit.errors import KitError
from ci_kit.service import Service
from ci_kit.test.ready import parse_address, probe
from ci_kit.tools import Tools

TRIES = 3
PAUSE_SECONDS = 1.0
ANSWER_SECONDS = 3.0
DOCKER_SECONDS = 20.0
LOG_LINES = 40


def find_dead(services: Mapping[str, Service], tools: Tools) -> str | None:
    """What to say of the first service that does not answer any more, None when all do."""
    for name, service in services.items():
        if not service.ready:
            continue
        try:
            address = parse_address(service.ready)
        except ValueError:  # said before the tests already
            continue
        why = probe(address, ANSWER_SECONDS)
        for _ in range(TRIES - 1):
            if why is None:
                break
            tools.clock.sleep(PAUSE_SECONDS)
            why = probe(address, ANSWER_SECONDS)
        if why is not None:
            log = container_log(service.image, tools)
            return f"The service {name} ({address.shown}) answered before the tests and does not any more: {why}.{log}"
    return None


def container_log(image: str, tools: Tools) -> str:
    """State and last lines of the newest container of an image, as sentences; why there are none when there are none."""
    asked = ["docker", "ps", "--all", "--quiet", "--filter", f"ancestor={image}"]
    containers = _docker(asked, tools).split()
    if not containers:
        return " Its container's log is not at hand here."
    newest = containers[0]
    form = "{{.State.Status}}, exit code {{.State.ExitCode}}, out of memory: {{.State.OOMKilled}}"
    state = _docker(["docker", "inspect", "--format", form, newest], tools).strip()
    lines = _docker(["docker", "logs", "--tail", str(LOG_LINES), newest], tools).strip()
    return f" Its container is {state}. The end of its log:\n{lines}"


def _docker(argv: list[str], tools: Tools) -> str:
    try:
        done = tools.runner.run(argv, timeout_seconds=DOCKER_SECONDS, stream=False)
    except KitError:  # no docker here
        return ""
    return "" if done.code else done.output
