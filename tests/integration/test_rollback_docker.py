"""A real Docker daemon with images of a file or two, made by `docker import`; nothing is pulled."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ci_kit.clock import SystemClock
from ci_kit.process import SubprocessRunner
from ci_kit.smoke_and_rollback.deployment_state import Owner, Phase, Record, Snapshot, Standing
from ci_kit.smoke_and_rollback.docker_cli import Docker, VolumeStore
from ci_kit.smoke_and_rollback.rollback_options import Options
from ci_kit.smoke_and_rollback.strategies import Strategy, World, find
from ci_kit.smoke_and_rollback.target_errors import RollbackError, TargetBusy, TargetFailure
from ci_kit.smoke_and_rollback.target_state import TargetState
from tooling.docker_daemon import docker_daemon

FIRST = Owner("org/app/1", 1)
RUN = ["--network=host", "--stop-timeout=1"]


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def image(tag: str, program: Path, *, command: str = '["/busybox", "sleep", "600"]') -> str:
    """An image with a static busybox and a file that makes it unlike the others; its id."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(program, "busybox")
        told = tarfile.TarInfo("tag")
        told.size = len(tag)
        tar.addfile(told, io.BytesIO(tag.encode()))
    done = subprocess.run(
        ["docker", "import", "--change", f"CMD {command}", "-", tag],
        input=archive.getvalue(), capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout.decode().strip()


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    program = shutil.which("busybox")
    if program is None:
        pytest.skip("there is no static busybox; on Debian: apt-get install busybox-static")
    with docker_daemon(tmp_path_factory.mktemp("docker")) as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", address)
        patch.delenv("DOCKER_CONTEXT", raising=False)
        made = {tag: image(tag, Path(program)) for tag in ("web:1", "web:2", "web:3")}
        made["web:broken"] = image("web:broken", Path(program), command='["/no/such/program"]')
        try:
            docker("run", "--rm", "--network=host", "web:1", "/busybox", "true")
        except AssertionError as error:
            pytest.skip(f"the daemon cannot start containers here: {error}")
        yield made


@pytest.fixture
def target(images: dict[str, str]) -> Iterator[Strategy]:
    start("web:1")
    yield one()
    for name in docker("ps", "--all", "--quiet").split():
        docker("rm", "--force", name)
    for name in docker("volume", "ls", "--quiet").split():
        docker("volume", "rm", name)


def one() -> Strategy:
    return find("docker")(Options({"container": "web", "run": RUN}), World(SubprocessRunner(), SystemClock()))


def start(what: str) -> None:
    """What a deploy command does."""
    subprocess.run(["docker", "rm", "--force", "web"], capture_output=True, timeout=60, check=False)
    subprocess.run(
        ["docker", "run", "--detach", "--name=web", *RUN, what], capture_output=True, timeout=60, check=False
    )


def running() -> str:
    return docker("container", "inspect", "--format", "{{.Image}}", "web")


def take_back(target: Strategy, before: Snapshot) -> None:
    started = time.monotonic()
    target.rollback(before)
    target.wait(started + 60)
    target.verify(before)
    assert time.monotonic() - started <= 60


def test_a_container_is_taken_back_by_its_image_id(target: Strategy, images: dict[str, str]) -> None:
    target.preflight()
    before = target.snapshot()
    assert before.artifact == images["web:1"]
    start("web:2")
    after = target.snapshot()
    assert target.standing(before, after) is Standing.AFTER
    docker("tag", "web:2", "web:1")  # the tag now names the bad image
    docker("image", "prune", "--force")
    try:
        take_back(target, before)
    finally:
        docker("tag", images["web:1"], "web:1")
    assert running() == images["web:1"]
    kept = docker("container", "inspect", "--format", "{{.Image}} {{.State.Running}}", "web-ci-kit-bad")
    assert kept == f"{images['web:2']} false"
    identity = docker("container", "inspect", "--format", "{{.Id}}", "web")
    target.rollback(before)
    assert docker("container", "inspect", "--format", "{{.Id}}", "web") == identity


@pytest.mark.usefixtures("target")
@pytest.mark.parametrize("bad", ["web:broken", "none"])
def test_a_release_that_does_not_start_is_taken_back(images: dict[str, str], bad: str) -> None:
    target = one()
    before = target.snapshot()
    start(bad if bad != "none" else "--invalid-option")
    assert target.changed(before)
    take_back(target, before)
    assert running() == images["web:1"]


@pytest.mark.parametrize("stopped_after", ["rename", "update", "stop"])
def test_a_rollback_killed_between_two_commands_is_finished(
    target: Strategy, images: dict[str, str], stopped_after: str
) -> None:
    before = target.snapshot()
    start("web:2")
    after = target.snapshot()
    docker("container", "rename", "web", "web-ci-kit-bad")
    if stopped_after != "rename":
        docker("container", "update", "--restart=no", "web-ci-kit-bad")
    if stopped_after == "stop":
        docker("container", "stop", "-t", "1", "web-ci-kit-bad")
    assert target.standing(before, after) is Standing.MIDWAY
    take_back(target, before)
    assert running() == images["web:1"]
    assert docker("container", "inspect", "--format", "{{.State.Running}}", "web-ci-kit-bad") == "false"


def test_an_image_that_is_gone_is_said_and_the_bad_release_left_running(target: Strategy) -> None:
    before = target.snapshot()
    gone = replace(before, details={"images": {"web": "sha256:" + "0" * 64}})
    with pytest.raises(RollbackError, match="not at the daemon"):
        target.rollback(gone)
    assert running() == before.details["images"]["web"]


def test_what_somebody_else_started_is_seen(target: Strategy) -> None:
    before = target.snapshot()
    start("web:2")
    after = target.snapshot()
    start("web:3")
    assert target.standing(before, after) is Standing.FOREIGN


def test_nothing_to_go_back_to_is_said_before_anything_ships(target: Strategy) -> None:
    docker("rm", "--force", "web")
    with pytest.raises(TargetFailure, match="does not run"):
        target.preflight()


def test_the_state_survives_everything_that_is_pruned(target: Strategy) -> None:
    before = target.snapshot()
    target.state.lock(FIRST)
    with pytest.raises(TargetBusy):
        one().state.lock(Owner("org/app/2", 1))
    for phase in (Phase.PREPARED, Phase.DEPLOYING, Phase.SMOKING):
        target.state.write(Record(phase, FIRST, SystemClock().now(), "production", "abc", before), FIRST)
    target.state.quarantine("abc", 'it said "no"', FIRST)
    docker("system", "prune", "--force")
    found = one().state.read()
    assert found.record is not None
    assert (found.record.phase, found.record.before) == (Phase.SMOKING, before)
    assert found.quarantine[0].why == 'it said "no"'
    assert len(docker("volume", "ls", "--quiet").split()) == 2


@pytest.mark.usefixtures("target")
def test_of_many_runs_that_lock_at_once_one_wins() -> None:
    won: list[str] = []

    def take(owner: Owner) -> None:
        try:
            TargetState(VolumeStore(Docker(SubprocessRunner()), "web"), SystemClock()).lock(owner)
            won.append(owner.run)
        except TargetBusy:
            pass

    threads = [threading.Thread(target=take, args=(Owner(f"org/app/{number}", 1),)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = one().state.read().lock
    assert held is not None
    assert won == [held.owner.run]


def test_a_compose_project_is_taken_back_by_its_image_ids(
    images: dict[str, str], tmp_path: Path, target: Strategy
) -> None:
    compose = ["docker", "compose"]
    if subprocess.run([*compose, "version"], capture_output=True, timeout=60, check=False).returncode:
        if shutil.which("docker-compose") is None:
            pytest.skip("there is no docker compose; on Debian: apt-get install docker-compose")
        compose = ["docker-compose"]
    file = tmp_path / "compose.yml"
    file.write_text(
        'services:\n  app: &app {image: "${WEB}", network_mode: host, stop_grace_period: 1s}\n  worker: *app\n'
    )

    def up(tag: str) -> None:
        argv = [*compose, "--project-name=shop", "--file", str(file), "up", "--detach"]
        done = subprocess.run(
            argv, env={**os.environ, "WEB": tag}, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr

    options = {"project": "shop", "files": [str(file)], "services": ["app", "worker"]}
    project = find("docker")(Options(options), World(SubprocessRunner(), SystemClock()))
    up("web:1")
    before = project.snapshot()
    assert before.details["images"] == {"app": images["web:1"], "worker": images["web:1"]}
    up("web:2")
    after = project.snapshot()
    worker = docker("ps", "--quiet", "--filter=label=com.docker.compose.service=worker")
    docker("rm", "--force", worker)  # as half a rollback leaves it
    assert project.standing(before, after) is Standing.MIDWAY
    take_back(project, before)
    assert project.snapshot() == before
