"""The consumer's own programs: a target that is a file, read and written by small Python programs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from ci_kit.clock import SystemClock
from ci_kit.errors import CallerMistake
from ci_kit.process import SubprocessRunner
from ci_kit.smoke_and_rollback.deployment_state import Owner, Phase, Record, Snapshot, Standing
from ci_kit.smoke_and_rollback.rollback_options import Options
from ci_kit.smoke_and_rollback.strategies import Strategy, World, find
from ci_kit.smoke_and_rollback.target_errors import NoCanary, RollbackError, TargetBusy, TargetFailure

FIRST = Owner("org/app/1", 1)
IDENTITY = "import pathlib; print('asking'); print(pathlib.Path('live').read_text())"
ROLLBACK = "import os, pathlib; pathlib.Path('live').write_text(os.environ['CI_KIT_IDENTITY'])"
WEIGHT = "import os, pathlib; pathlib.Path('share').write_text(os.environ['CI_KIT_WEIGHT'])"
READ = "import pathlib; p = pathlib.Path('state'); print(p.read_text() if p.exists() else '')"
WRITE = """
import hashlib, os, pathlib, sys
p = pathlib.Path('state')
now = hashlib.sha256(p.read_bytes()).hexdigest() if p.exists() else ''
if now != os.environ['CI_KIT_STATE_BEFORE']:
    raise SystemExit(9)
p.write_text(sys.stdin.read())
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "live").write_text("old")
    return tmp_path


def program(code: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", code]


def strategy(**more: object) -> Strategy:
    values = {"identity": program(IDENTITY), "rollback": program(ROLLBACK), "state": "state.json", **more}
    world = World(SubprocessRunner(), SystemClock(), environ=dict(os.environ))
    return find("command")(Options(values, {"rollback": 9}, "smoke.yml"), world)


def test_the_identity_before_is_put_back(folder: Path) -> None:
    target = strategy(verify=program("pass"), wait=program("pass"), preflight=program("pass"))
    target.preflight()
    before = target.snapshot()
    assert before.artifact == "old"
    (folder / "live").write_text("new")
    after = target.snapshot()
    assert target.standing(before, after) is Standing.AFTER
    target.rollback(before)
    target.wait(SystemClock().monotonic() + 10)
    target.verify(before)
    assert (folder / "live").read_text() == "old"
    (folder / "live").write_text("third")
    assert target.standing(before, after) is Standing.FOREIGN


def test_an_unchanged_target_is_not_touched() -> None:
    target = strategy(rollback=["/no/such/program"])
    target.rollback(target.snapshot())


@pytest.mark.parametrize(
    ("key", "says"), [("rollback", "rollback.rollback"), ("wait", "rollback.wait"), ("verify", "rollback.verify")]
)
def test_a_program_that_fails_is_named_with_what_to_do(folder: Path, key: str, says: str) -> None:
    target = strategy(**{key: program("raise SystemExit(4)")})
    before = target.snapshot()
    (folder / "live").write_text("new")
    with pytest.raises(RollbackError, match=rf"{says} ended with exit code 4"):
        take_back(target, before)


def take_back(target: Strategy, before: Snapshot) -> None:
    target.rollback(before)
    target.wait(SystemClock().monotonic() + 10)
    target.verify(before)


def test_a_wait_ends_at_the_deadline() -> None:
    target = strategy(wait=program("import time; time.sleep(600)"))
    with pytest.raises(RollbackError, match="took too long"):
        target.wait(SystemClock().monotonic())


def test_a_share_of_the_traffic_is_passed_on(folder: Path) -> None:
    target = strategy(weight=program(WEIGHT))
    target.weight(25, target.snapshot())
    assert (folder / "share").read_text() == "25"
    with pytest.raises(NoCanary):
        strategy().weight(25, target.snapshot())


def test_an_identity_that_says_nothing_is_an_error() -> None:
    with pytest.raises(TargetFailure, match="exit code 0"):
        strategy(identity=program("pass")).snapshot()


@pytest.mark.parametrize("state", ["state.json", {"read": program(READ), "write": program(WRITE)}])
def test_the_state_is_kept_where_the_consumer_says(state: object) -> None:
    target = strategy(state=state)
    target.state.lock(FIRST)
    with pytest.raises(TargetBusy):
        strategy(state=state).state.lock(Owner("org/app/2", 1))
    record = Record(Phase.ROLLING_BACK, FIRST, SystemClock().now(), "production", "abc", target.snapshot())
    target.state.write(record, FIRST)
    assert strategy(state=state).state.read().record == record


def test_a_missing_program_is_named_with_its_line() -> None:
    with pytest.raises(CallerMistake, match=r"smoke.yml:9: rollback.rollback is needed"):
        strategy(rollback=[])
