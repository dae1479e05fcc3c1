"""A run ends all that it started and nothing that is another run's, whatever numbers the system gives to processes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ci_kit.act.servers import Servers
from ci_kit.act.session import Ended, kill, run_session, started

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows when a process started")


@contextlib.contextmanager
def bystander(**environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of somebody else, in a group of its own."""
    child = subprocess.Popen(["sleep", "300"], env={**os.environ, **environ}, start_new_session=True)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def session(script: str, marker: str, folder: Path, limit_seconds: float = 60.0) -> tuple[Ended, list[str]]:
    """Run `script` in act's place."""
    said: list[str] = []
    name, _, value = marker.partition("=")
    env = {**os.environ, name: value}
    argv = ["bash", "-c", script]
    return run_session(
        argv,
        env=env,
        cwd=folder,
        marker=marker,
        limit_seconds=limit_seconds,
        feed=lambda line: said.append(line.strip()),
    ), said


def gone(pid: int) -> bool:
    """Whether a process has ended, within the time that the system needs to take it down."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.02)
                continue
        return True
    return False


def lives(child: subprocess.Popen[bytes]) -> bool:
    """Whether no signal reached it; one that did shows in far less time than is given here."""
    try:
        child.wait(0.3)
    except subprocess.TimeoutExpired:
        return True
    return False


@LINUX
@pytest.mark.parametrize(
    "left", ["setsid sleep 300", "env -i sleep 300"], ids=["in another session", "without the marker"]
)
def test_the_time_limit_ends_what_hides(left: str, tmp_path: Path) -> None:
    ended, said = session(f"{left} & echo $!; wait", "CI_KIT_MARK=hides", tmp_path, limit_seconds=1.0)
    assert ended.timed_out
    assert gone(int(said[0]))


@LINUX
def test_a_process_that_outlives_a_good_end_is_ended(tmp_path: Path) -> None:
    ended, said = session("setsid sleep 300 >/dev/null 2>&1 & echo $!; exit 0", "CI_KIT_MARK=outlives", tmp_path)
    assert (ended.code, ended.timed_out) == (0, False)
    assert gone(int(said[0]))


def test_the_end_of_one_run_leaves_another_run_alone(tmp_path: Path) -> None:
    """Also one whose marker only begins with this run's."""
    with bystander(CI_KIT_MARK="one-more") as other, bystander(CI_KIT_MARK="two") as third:
        session("sleep 300 & wait", "CI_KIT_MARK=one", tmp_path, limit_seconds=0.5)
        assert lives(other)
        assert lives(third)


@LINUX
def test_a_number_that_went_to_another_process_is_left_alone() -> None:
    with bystander() as other:
        kill({other.pid: str(int(started(other.pid)) - 1)})
        assert lives(other)
        kill({other.pid: started(other.pid)})
        assert other.wait(10) == -9


def test_a_server_that_has_ended_gives_its_number_away(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    with bystander() as other:
        ended.pid = other.pid
        Servers(tmp_path, tmp_path / "locks", running=[ended]).stop()
        assert lives(other)
