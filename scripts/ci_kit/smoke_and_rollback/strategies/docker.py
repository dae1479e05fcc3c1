"""Containers by image id: one container, or the services of a compose project.

Options for one container: `container` (its name), `run` (the arguments of `docker run` besides its name and image, such
as [-p, "80:8000", --env-file, /etc/app.env]). For compose: `project`, `files` (compose files), `services`.
The image is tagged while a deployment goes on, so that a `docker image prune` in the deploy command leaves it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from typing import Any

from ci_kit.smoke_and_rollback.deployment_state import Snapshot, Standing
from ci_kit.smoke_and_rollback.docker_cli import Docker, VolumeStore
from ci_kit.smoke_and_rollback.rollback_options import Options
from ci_kit.smoke_and_rollback.strategies import Strategy, World
from ci_kit.smoke_and_rollback.target_errors import RollbackError, TargetFailure
from ci_kit.smoke_and_rollback.target_state import TargetState

START_SECONDS = 120.0
POLL_SECONDS = 0.1


def build(options: Options, world: World) -> Strategy:
    """See the module."""
    docker = Docker(world.runner)
    if "container" in options.values:
        options.only("container", "run")
        return Containers(OneContainer(docker, options.text("container"), options.texts("run")), docker, world)
    options.only("project", "files", "services")
    project = Compose(
        docker,
        options.text("project"),
        options.texts("files", needed=True),
        options.texts("services", needed=True),
        world,
    )
    return Containers(project, docker, world)


class OneContainer:
    """A container started with `docker run`. The bad one is stopped and kept under another name, with its log."""

    def __init__(self, docker: Docker, name: str, arguments: tuple[str, ...]) -> None:
        self._docker = docker
        self.target = name
        self.names = (name,)
        self._arguments = arguments

    def container_of(self, name: str) -> str | None:
        """The container that serves as `name`."""
        return name

    def start(self, images: Mapping[str, str]) -> None:
        """Put a container of the image in place of the one there."""
        bad = f"{self.target}-ci-kit-bad"
        if self._docker.container(self.target) is not None:
            self._docker.run("container", "rm", "--force", bad)
            self._docker.ask("container", "rename", self.target, bad)
        # Also when an earlier attempt stopped right here.
        if self._docker.container(bad) is not None:
            self._docker.ask("container", "update", "--restart=no", bad)
            self._docker.ask("container", "stop", bad, seconds=START_SECONDS)
        self._docker.ask(
            "run", "--detach", f"--name={self.target}", *self._arguments, images[self.target], seconds=START_SECONDS
        )


class Compose:
    """Services of a compose project; the image ids are given in a file of their own, which comes last."""

    def __init__(
        self, docker: Docker, project: str, files: tuple[str, ...], services: tuple[str, ...], world: World
    ) -> None:
        self._docker = docker
        self._project = project
        self._files = files
        self._world = world
        self.target = project
        self.names = services

    def container_of(self, name: str) -> str | None:
        """The newest container of the service."""
        labels = (f"com.docker.compose.project={self._project}", f"com.docker.compose.service={name}")
        listed = self._docker.ask(
            "container", "ls", "--all", "--no-trunc", "--quiet", *(f"--filter=label={label}" for label in labels)
        ).splitlines()
        return listed[0] if listed else None

    def start(self, images: Mapping[str, str]) -> None:
        """`up` of these services alone, from these images alone."""
        override = json.dumps({"services": {name: {"image": image} for name, image in images.items()}})
        files = [part for file in self._files for part in ("--file", file)]
        done = self._world.runner.run(
            [
                *self._program(), "--project-name", self._project, *files, "--file", "/dev/stdin",
                "up", "--detach", "--no-deps", "--no-build", *images,
            ],
            timeout_seconds=START_SECONDS, stream=False, input_text=override,
        )  # fmt: skip
        if done.code:
            last = " ".join(done.output.strip().splitlines()[-3:])
            raise TargetFailure(f"docker compose up failed: {last[:600]}.", next_step="Run it by hand.")

    def _program(self) -> list[str]:
        if self._docker.run("compose", "version").code == 0 or shutil.which("docker-compose") is None:
            return ["docker", "compose"]
        return ["docker-compose"]


class Containers(Strategy):
    """Both kinds: remembered by image id, one snapshot for all services."""

    def __init__(self, target: OneContainer | Compose, docker: Docker, world: World) -> None:
        self._target = target
        self._docker = docker
        self._world = world
        self.state = TargetState(VolumeStore(docker, target.target), world.clock)

    def preflight(self) -> None:
        """Something runs, and the daemon has its image, which is kept from being pruned until the next deployment."""
        for name, image in self.snapshot().details["images"].items():
            if not self._docker.has_image(image):
                raise TargetFailure(
                    f"the image {image} of {name} is not there any more.", next_step="Deploy once by hand first."
                )
            self._docker.ask("image", "tag", image, f"ci-kit-kept:{self._target.target}-{name}")

    def snapshot(self) -> Snapshot:
        """The image ids of what runs."""
        images = self._running()
        if missing := sorted(set(self._target.names) - images.keys()):
            raise TargetFailure(
                f"{', '.join(missing)} does not run.",
                next_step="Start it once by hand; then there is a release to go back to.",
            )
        shown = ", ".join(f"{name}={image}" for name, image in sorted(images.items()))
        return Snapshot("docker", shown, ",".join(sorted(images.values())), {"images": images})

    def standing(self, before: Snapshot, after: Snapshot | None) -> Standing:
        """MIDWAY: every service runs the image before, the one after, or nothing, and not all the same."""
        now, then = self._running(), before.details["images"]
        if now == then:
            return Standing.BEFORE
        left = None if after is None else after.details["images"]
        if left is None or now == left:
            return Standing.MIDWAY if not now else Standing.AFTER
        ours = all(image in {then.get(name), left.get(name)} for name, image in now.items())
        return Standing.MIDWAY if ours else Standing.FOREIGN

    def rollback(self, before: Snapshot) -> None:
        """Start the remembered images in place of what is there, those only that changed."""
        now, then = self._running(), before.details["images"]
        wanted = {name: image for name, image in then.items() if now.get(name) != image}
        if not wanted:
            return
        if gone := [image for image in wanted.values() if not self._docker.has_image(image)]:
            raise RollbackError(
                f"the image {', '.join(gone)} is not at the daemon any more.",
                next_step="Pull or load the release before, and start it by hand.",
            )
        try:
            self._target.start(wanted)
        except TargetFailure as error:
            raise RollbackError(error.message, next_step=f"Start by hand: {before.identity}") from error

    def wait(self, deadline: float) -> None:
        """Until no container starts or restarts any more, and the health checks that there are say healthy."""
        while unready := self._unready():
            if self._world.clock.monotonic() >= deadline:
                raise RollbackError(f"{', '.join(unready)} did not get ready.", next_step="Look at docker logs.")
            self._world.clock.sleep(POLL_SECONDS)

    def verify(self, before: Snapshot) -> None:
        """The remembered images run."""
        if self.changed(before) or self._unready():
            shown = ", ".join(f"{name}={image}" for name, image in sorted(self._running().items()))
            raise RollbackError(
                f"{shown or 'nothing'} runs instead of {before.identity}.",
                next_step="Start it by hand; see docker logs.",
            )

    def _running(self) -> dict[str, str]:
        found = {}
        for name in self._target.names:
            container = self._inspect(name)
            if container is not None and container["State"]["Running"]:
                found[name] = str(container["Image"])
        return found

    def _unready(self) -> list[str]:
        unready = []
        for name in self._target.names:
            container = self._inspect(name)
            state = {} if container is None else container["State"]
            health = (state.get("Health") or {}).get("Status", "healthy")
            if not state.get("Running") or state.get("Restarting") or health != "healthy":
                unready.append(name)
        return unready

    def _inspect(self, name: str) -> Mapping[str, Any] | None:
        container = self._target.container_of(name)
        return None if container is None else self._docker.container(container)
