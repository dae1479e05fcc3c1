"""The docker program, and the state of a deployment in labels of empty volumes.

A daemon offers no file of its own to a client elsewhere, containers are pruned, and labels never change. What it does
offer is names: of two clients that create a volume of one name, one gets its labels in. So every version of the
document is one volume, `ci-kit-state-<target>-<n>`, and the highest n counts. Volumes with a name survive
`docker system prune`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from ci_kit.process import Completed, Runner
from ci_kit.smoke_and_rollback.target_errors import TargetFailure
from ci_kit.smoke_and_rollback.target_state import Stored

REQUEST_SECONDS = 30.0
TARGET_LABEL = "ci-kit.target"
STATE_LABEL = "ci-kit.state"
WRITER_LABEL = "ci-kit.writer"
KEPT_VERSIONS = 2


class Docker:
    """The program, for the daemon that its own environment names."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def run(self, *arguments: str, seconds: float = REQUEST_SECONDS) -> Completed:
        """Run to the end, whatever the exit code."""
        return self._runner.run(["docker", *arguments], timeout_seconds=seconds, stream=False)

    def ask(self, *arguments: str, seconds: float = REQUEST_SECONDS) -> str:
        """The output, stripped; raises `TargetFailure`."""
        done = self.run(*arguments, seconds=seconds)
        if done.code:
            raise failure(done)
        return done.output.strip()

    def container(self, name: str) -> Mapping[str, Any] | None:
        """What the daemon knows of a container, or None when there is none."""
        done = self.run("container", "inspect", "--format", "{{json .}}", name)
        if done.code and "no such container" in done.output.lower():
            return None
        if done.code:
            raise failure(done)
        found: dict[str, Any] = json.loads(done.output[done.output.index("{") :].splitlines()[0])
        return found

    def has_image(self, image: str) -> bool:
        """Whether the daemon has it."""
        return self.run("image", "inspect", "--format", "{{.Id}}", image).code == 0


def failure(done: Completed) -> TargetFailure:
    """The error of a docker that did not end with 0."""
    why = "took too long" if done.timed_out else f"ended with exit code {done.code}"
    last = " ".join(done.output.strip().splitlines()[-3:])
    return TargetFailure(
        f"{' '.join(done.argv[:3])} {why}: {last[:600]}.", next_step="Check DOCKER_HOST and that the daemon runs."
    )


class VolumeStore:
    """The state in labels of volumes named after the target."""

    def __init__(self, docker: Docker, target: str) -> None:
        self._docker = docker
        self._target = target
        self.where = f"volumes ci-kit-state-{target}-*"

    def load(self) -> Stored:
        """The labels of the volume with the highest number."""
        numbers = self._numbers()
        if not numbers:
            return Stored(None, "0")
        text = self._label(self._name(numbers[-1]), STATE_LABEL)
        return Stored(text, str(numbers[-1]))

    def save(self, text: str, version: str) -> bool:
        """Create the next volume; whoever's labels it got has won."""
        number = int(version) + 1
        writer = os.urandom(8).hex()
        name = self._name(number)
        labels = {TARGET_LABEL: self._target, STATE_LABEL: text, WRITER_LABEL: writer}
        self._docker.ask("volume", "create", *(f"--label={key}={value}" for key, value in labels.items()), name)
        if self._label(name, WRITER_LABEL) != writer:
            return False
        numbers = self._numbers()
        if numbers[-1] != number:
            # Somebody was ahead, and cleaned up what this one then made anew.
            self._docker.run("volume", "rm", name)
            return False
        for old in numbers[:-KEPT_VERSIONS]:
            self._docker.run("volume", "rm", self._name(old))
        return True

    def _numbers(self) -> list[int]:
        listed = self._docker.ask(
            "volume", "ls", f"--filter=label={TARGET_LABEL}={self._target}", "--format={{.Name}}"
        ).splitlines()
        tails = (name.removeprefix(f"ci-kit-state-{self._target}-") for name in listed)
        return sorted(int(tail) for tail in tails if tail.isdigit())

    def _name(self, number: int) -> str:
        return f"ci-kit-state-{self._target}-{number}"

    def _label(self, volume: str, label: str) -> str:
        return self._docker.ask("volume", "inspect", "--format", f'{{{{index .Labels "{label}"}}}}', volume)
