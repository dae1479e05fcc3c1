"""Releases behind a symbolic link, on a real file system; a run killed before any of its acts."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ci_kit.clock import SystemClock
from ci_kit.errors import CallerMistake
from ci_kit.process import SubprocessRunner
from ci_kit.smoke_and_rollback.deployment_state import (
    Action,
    Finish,
    Nothing,
    Owner,
    Phase,
    Record,
    Standing,
    next_step,
)
from ci_kit.smoke_and_rollback.rollback_options import Options
from ci_kit.smoke_and_rollback.strategies import Strategy, World, find
from ci_kit.smoke_and_rollback.target_errors import NoCanary, RollbackError, TargetBusy, TargetFailure
from tooling.yaml_files import ROOT

FIRST = Owner("org/app/1", 1)
SECOND = Owner("org/app/1", 2)
TARGET_SECONDS = 2.0


def strategy(folder: Path, **more: object) -> Strategy:
    options = Options({"link": str(folder / "current"), **more}, {"link": 7}, "smoke.yml")
    return find("releases")(options, World(SubprocessRunner(), SystemClock()))


def move(folder: Path, release: str) -> None:
    draft = folder / "draft"
    draft.symlink_to(folder / release)
    draft.replace(folder / "current")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for release in ("old", "new", "third"):
        (tmp_path / release).mkdir()
        (tmp_path / release / "VERSION").write_text(release)
    move(tmp_path, "old")
    return tmp_path


def live(folder: Path) -> str:
    return (folder / "current").resolve().name


def test_a_release_is_taken_back_within_two_seconds(folder: Path) -> None:
    target = strategy(folder, restart=[sys.executable, "-I", "-S", "-c", "print('restarted')"])
    target.preflight()
    before = target.snapshot()
    move(folder, "new")
    assert target.changed(before)
    started = time.monotonic()
    target.rollback(before)
    target.wait(started + 60)
    target.verify(before)
    assert time.monotonic() - started <= TARGET_SECONDS
    assert live(folder) == "old"
    assert target.standing(before, None) is Standing.BEFORE


def test_an_unchanged_target_is_not_touched(folder: Path) -> None:
    target = strategy(folder, restart=["/no/such/program"])
    before = target.snapshot()
    told = (folder / "current").lstat()
    target.rollback(before)
    assert (folder / "current").lstat() == told


def test_the_identity_is_resolved_when_it_is_needed_and_not_the_one_before_in_line(folder: Path) -> None:
    target = strategy(folder)
    before = target.snapshot()
    move(folder, "new")
    move(folder, "third")
    target.rollback(before)
    assert live(folder) == "old"
    move(folder, "new")
    target.rollback(before)
    assert live(folder) == "old"


def test_readers_never_find_nothing(folder: Path) -> None:
    target = strategy(folder)
    before = target.snapshot()
    stop = threading.Event()
    seen: set[str] = set()

    def read() -> None:
        while not stop.is_set():
            seen.add((folder / "current" / "VERSION").read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(50):
        move(folder, "new")
        target.rollback(before)
    stop.set()
    reader.join()
    assert seen <= {"old", "new"}


def test_a_link_that_a_deploy_command_removed_is_made_again(folder: Path) -> None:
    target = strategy(folder)
    before = target.snapshot()
    (folder / "current").unlink()
    target.rollback(before)
    assert live(folder) == "old"


def remove(release: Path) -> None:
    shutil.rmtree(release)


def make_anew(release: Path) -> None:
    release.rename(release.with_name("aside"))
    release.mkdir()
    (release / "VERSION").write_text("old")


def overwrite(release: Path) -> None:
    (release / "VERSION").write_text("other")


@pytest.mark.parametrize(("harm", "says"), [(remove, "is gone"), (make_anew, "replaced"), (overwrite, "replaced")])
def test_a_release_that_is_not_there_any_more_is_never_pointed_to(
    folder: Path, harm: Callable[[Path], None], says: str
) -> None:
    target = strategy(folder, **{"version-file": "VERSION"})
    before = target.snapshot()
    move(folder, "new")
    harm(folder / "old")
    with pytest.raises(RollbackError, match=says) as error:
        target.rollback(before)
    assert "ln -sfn" in error.value.next_step
    assert live(folder) == "new"


def test_a_restart_that_fails_is_an_error_and_the_rollback_stays_unfinished(folder: Path) -> None:
    target = strategy(folder, restart=[sys.executable, "-c", "raise SystemExit(3)"])
    before = target.snapshot()
    move(folder, "new")
    with pytest.raises(RollbackError, match="exit code 3"):
        target.rollback(before)
    with pytest.raises(RollbackError):
        target.verify(before)
    assert target.standing(before, None) is Standing.MIDWAY


def test_what_somebody_else_deployed_is_seen(folder: Path) -> None:
    target = strategy(folder)
    before = target.snapshot()
    move(folder, "new")
    after = target.snapshot()
    assert target.standing(before, after) is Standing.AFTER
    move(folder, "third")
    assert target.standing(before, after) is Standing.FOREIGN


def test_a_link_that_is_none_is_said_before_anything_ships(tmp_path: Path) -> None:
    (tmp_path / "current").mkdir()
    with pytest.raises(TargetFailure, match="not a symbolic link"):
        strategy(tmp_path).preflight()


def test_an_option_that_does_not_exist_is_named_with_its_place(folder: Path) -> None:
    options = Options({"link": str(folder), "restrat": []}, {"restrat": 12}, "smoke.yml")
    with pytest.raises(CallerMistake, match=r"smoke.yml:12: rollback.restrat is not known"):
        find("releases")(options, World(SubprocessRunner(), SystemClock()))


def test_a_strategy_that_does_not_exist_is_said_with_those_that_do() -> None:
    with pytest.raises(CallerMistake, match="command, docker, haproxy, helm, kubernetes, releases"):
        find("releses")


def test_a_link_has_no_canary(folder: Path) -> None:
    target = strategy(folder)
    with pytest.raises(NoCanary, match="releases"):
        target.weight(10, target.snapshot())


def test_two_runs_cannot_deploy_at_once(folder: Path) -> None:
    strategy(folder).state.lock(FIRST)
    with pytest.raises(TargetBusy):
        strategy(folder).state.lock(Owner("org/app/2", 1))


# One bad deployment from its lock to its end. Python reports each of its acts before it happens (PEP 578); the run
# kills itself before the one that the test names.
RUN = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = [sys.argv[1], sys.argv[2]]
from integration.test_rollback_releases import deploy_and_take_back
ACTS = {"open", "os.rename", "os.symlink", "os.remove", "os.truncate", "fcntl.flock", "subprocess.Popen"}
left = int(sys.argv[4])
def act(event, arguments):
    global left
    if event in ACTS and (event != "open" or str(arguments[0]).startswith(sys.argv[3])):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(act)
deploy_and_take_back(Path(sys.argv[3]))
"""


def with_restart(folder: Path) -> Strategy:
    note = "import os, sys; open(sys.argv[1], 'a').write(os.path.basename(os.path.realpath(sys.argv[2])) + '\\n')"
    program = [sys.executable, "-I", "-S", "-c", note, str(folder / "restarts"), str(folder / "current")]
    return strategy(folder, restart=program)


def deploy_and_take_back(folder: Path) -> None:
    """A deployment that is found to be bad. Runs in a process of its own."""
    target = with_restart(folder)
    target.state.lock(FIRST)
    before = target.snapshot()
    record = Record(Phase.PREPARED, FIRST, SystemClock().now(), "production", "new", before)
    target.state.write(record, FIRST)
    target.state.write(replace(record, phase=Phase.DEPLOYING), FIRST)
    move(folder, "new")
    record = replace(record, after=target.snapshot())
    target.state.write(replace(record, phase=Phase.SMOKING), FIRST)
    target.state.write(replace(record, phase=Phase.ROLLING_BACK), FIRST)
    target.rollback(before)
    target.state.write(replace(record, phase=Phase.RESTORED), FIRST)
    target.verify(before)
    target.state.write(replace(record, phase=Phase.ROLLED_BACK), FIRST)
    target.state.quarantine("new", "it was bad", FIRST)
    target.state.unlock(FIRST)


def finish(folder: Path) -> list[str]:
    """What the next run did about what it found; it is the same run's next attempt."""
    target = with_restart(folder)
    record = target.state.lock(SECOND).record
    did = []
    while record is not None and record.before is not None:
        before = record.before
        what = next_step(record, target.standing(before, record.after), repeatable=target.repeatable)
        if isinstance(what, Nothing):
            break
        assert isinstance(what, Finish), what
        did.append(str(what.action))
        if what.action is Action.ROLL_BACK:
            record = replace(record, phase=Phase.ROLLING_BACK)
            target.state.write(record, SECOND)
            target.rollback(before)
            record = replace(record, phase=Phase.RESTORED)
        elif what.action is Action.VERIFY:
            target.verify(before)
            record = replace(record, phase=Phase.ROLLED_BACK)
        else:
            record = replace(record, told=True)
        target.state.write(record, SECOND)
    target.state.unlock(SECOND)
    return did


def test_a_run_killed_at_any_moment_is_finished_by_the_next_one_and_never_rolls_back_twice(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(RUN)
    seen: set[tuple[str, ...]] = set()
    for moment in range(1, 500):
        folder = tmp_path / str(moment)
        for release in ("old", "new"):
            (folder / release).mkdir(parents=True)
        move(folder, "old")
        argv = [sys.executable, str(script), str(ROOT / "scripts"), str(ROOT / "tests"), str(folder), str(moment)]
        run = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        if run.returncode == 0:
            break
        assert run.returncode == -signal.SIGKILL, run.stderr
        did = finish(folder)
        seen.add(tuple(did))
        assert live(folder) == "old"
        assert did.count("roll-back") <= 1
        restarts = folder / "restarts"
        if "roll-back" in did or did == ["verify", "tell"]:
            assert restarts.read_text().splitlines()[-1] == "old"
        assert finish(folder) == []
    assert moment > 60
    assert {(), ("roll-back", "verify", "tell"), ("verify", "tell"), ("tell",)} <= seen
