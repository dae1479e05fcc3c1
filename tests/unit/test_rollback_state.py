"""Lock, record and quarantine at a target, and what the next run makes of a record."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ci_kit.clock import SystemClock
from ci_kit.smoke_and_rollback.deployment_state import (
    Action,
    Explain,
    Finish,
    Next,
    Nothing,
    Owner,
    Phase,
    Record,
    Snapshot,
    Standing,
    next_step,
)
from ci_kit.smoke_and_rollback.file_store import FileStore
from ci_kit.smoke_and_rollback.target_document import QUARANTINE_LIMIT, TargetDocument, with_lock
from ci_kit.smoke_and_rollback.target_errors import LostLock, TargetBusy, TargetFailure
from ci_kit.smoke_and_rollback.target_state import Stored, TargetState
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
FIRST = Owner("org/app/1", 1, "https://host/runs/1", "ada")
SECOND = Owner("org/app/2", 1)
OLD = Snapshot("releases", "/srv/old (1)", "/srv/old", {"folder": "/srv/old"})
NEW = Snapshot("releases", "/srv/new (2)", "/srv/new", {"folder": "/srv/new"})


class Still:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return (self.time - NOW).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class Memory:
    """A store in memory; `meanwhile` is called once, between a load and the save after it."""

    where = "in memory"

    def __init__(self, text: str | None = None) -> None:
        self.text = text
        self.version = 0
        self.meanwhile: list[str] = []

    def load(self) -> Stored:
        return Stored(self.text, str(self.version))

    def save(self, text: str, version: str) -> bool:
        if self.meanwhile:
            self.text = self.meanwhile.pop()
            self.version += 1
        if version != str(self.version):
            return False
        self.text = text
        self.version += 1
        return True


def record(phase: Phase = Phase.SMOKING, **more: object) -> Record:
    made = Record(phase, FIRST, NOW, "production", "abc123", OLD, NEW)
    return replace(made, **more)  # type: ignore[arg-type]


def state(store: Memory | None = None, clock: Still | None = None) -> TargetState:
    return TargetState(store or Memory(), clock or Still(), lease_seconds=600)


def test_a_lock_keeps_another_run_out_and_names_its_owner() -> None:
    target = state()
    target.lock(FIRST)
    with pytest.raises(TargetBusy, match=r"runs/1 \(attempt 1 by ada\)"):
        target.lock(SECOND)
    target.unlock(SECOND)  # not its own: nothing happens
    with pytest.raises(TargetBusy):
        target.lock(SECOND)
    target.unlock(FIRST)
    target.lock(SECOND)
    assert target.read().lock is not None


@pytest.mark.parametrize(("later", "taken"), [(600, False), (719, False), (721, True)])
def test_a_lock_is_stale_when_its_time_and_the_skew_of_clocks_have_passed(later: int, taken: bool) -> None:
    clock = Still()
    target = state(clock=clock)
    target.lock(FIRST)
    clock.sleep(later)
    if not taken:
        with pytest.raises(TargetBusy):
            target.lock(SECOND)
    else:
        assert target.lock(SECOND).lock is not None  # what was found there is answered
        with pytest.raises(LostLock):
            target.write(record(), FIRST)


def test_a_record_renews_the_lock() -> None:
    clock = Still()
    target = state(clock=clock)
    target.lock(FIRST)
    clock.sleep(600)
    target.write(record(), FIRST)
    clock.sleep(700)
    with pytest.raises(TargetBusy):
        target.lock(SECOND)


def test_a_later_attempt_of_the_same_run_takes_over_and_an_earlier_one_does_not() -> None:
    target = state()
    target.lock(FIRST)
    again = replace(FIRST, attempt=2)
    target.lock(again)
    with pytest.raises(TargetBusy):
        target.lock(FIRST)
    with pytest.raises(LostLock):
        target.write(record(), FIRST)
    target.write(record(owner=again), again)


def test_a_run_that_is_known_to_have_ended_holds_nothing() -> None:
    target = state()
    target.lock(FIRST)
    with pytest.raises(TargetBusy):
        target.lock(SECOND, lambda _: False)
    target.lock(SECOND, lambda owner: owner.run == FIRST.run)


def test_what_is_written_is_read_again() -> None:
    target = state()
    target.lock(FIRST)
    written = record(Phase.ROLLING_BACK, why="zu langsam", told=True, can_roll_back=False, after=None)
    target.write(written, FIRST)
    assert target.read().record == written
    target.write(None, FIRST)
    assert target.read().record is None


def test_nothing_is_written_without_the_lock() -> None:
    target = state()
    with pytest.raises(LostLock, match="nobody"):
        target.write(record(), FIRST)
    with pytest.raises(LostLock):
        target.quarantine("abc", "bad", FIRST)
    assert target.read() == TargetDocument()


def test_a_quarantine_outlives_lock_and_record_until_it_is_lifted() -> None:
    target = state()
    target.lock(FIRST)
    target.quarantine("abc123", "30 % errors", FIRST)
    target.unlock(FIRST)
    found = target.is_quarantined("abc123")
    assert found is not None
    assert (found.why, found.owner, found.at) == ("30 % errors", FIRST, NOW)
    assert target.is_quarantined("abc124") is None
    target.allow("abc123")
    assert target.is_quarantined("abc123") is None


def test_a_quarantine_is_bounded_and_names_a_release_once() -> None:
    target = state()
    target.lock(FIRST)
    for number in range(QUARANTINE_LIMIT + 5):
        target.quarantine(f"release-{number}", "bad", FIRST)
        target.quarantine(f"release-{number}", "worse", FIRST)
    kept = target.read().quarantine
    assert [q.identity for q in kept] == [f"release-{n}" for n in range(5, QUARANTINE_LIMIT + 5)]
    assert {q.why for q in kept} == {"worse"}


def test_a_change_by_somebody_else_is_seen_before_it_is_overwritten() -> None:
    theirs = with_lock(TargetDocument(), SECOND, NOW, 600).to_text()
    store = Memory()
    store.meanwhile = [theirs]
    with pytest.raises(TargetBusy):
        state(store).lock(FIRST)
    assert store.text == theirs


def test_a_state_that_never_stands_still_is_given_up() -> None:
    store = Memory()
    store.meanwhile = [TargetDocument().to_text()] * 100
    with pytest.raises(TargetFailure, match="20 times"):
        state(store).lock(FIRST)


@pytest.mark.parametrize(
    "text", ["{", "[]", '"x"', '{"schema": "other/1"}', '{"schema": "ci-kit/deployment-state/1"}', "1"]
)
def test_a_state_that_is_none_is_refused_and_never_overwritten(text: str) -> None:
    store = Memory(text)
    with pytest.raises(TargetFailure, match="cannot be read: it") as caught:
        state(store).lock(FIRST)
    assert "Error" not in caught.value.message
    assert store.text == text


def test_what_no_encoding_can_hold_is_kept_all_the_same(tmp_path: Path) -> None:
    target = TargetState(FileStore(tmp_path / "state.json"), SystemClock())
    target.lock(FIRST)
    target.quarantine("bad", "it answered \ud800", FIRST)
    assert target.read().quarantine[0].why == "it answered \ud800"


def test_files_keep_one_writer_at_a_time(tmp_path: Path) -> None:
    targets = [TargetState(FileStore(tmp_path / "state.json"), SystemClock()) for _ in range(8)]
    owners = [Owner(f"org/app/{number}", 1) for number in range(8)]
    won: list[str] = []

    def take(target: TargetState, owner: Owner) -> None:
        try:
            target.lock(owner)
            won.append(owner.run)
        except TargetBusy:
            pass

    threads = [threading.Thread(target=take, args=pair) for pair in zip(targets, owners, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = targets[0].read().lock
    assert held is not None
    assert won == [held.owner.run]
    json.loads((tmp_path / "state.json").read_text())


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(TargetFailure, match="cannot be written"):
        TargetState(FileStore(tmp_path / "none" / "state.json"), SystemClock()).lock(FIRST)


def kind(found: Next) -> str:
    return str(found.action) if isinstance(found, Finish) else type(found).__name__.lower()


UNPROVEN = ["nothing", "roll-back", "roll-back", "explain"]
TABLE = {  # what is left to do where the target stands as BEFORE, AFTER, MIDWAY, FOREIGN
    Phase.PREPARED: ["nothing"] * 4,
    Phase.DEPLOYING: UNPROVEN,
    Phase.SMOKING: UNPROVEN,
    Phase.CANARY: UNPROVEN,
    Phase.HELD: ["nothing", "explain", "explain", "explain"],
    Phase.PROMOTING: ["nothing", "promote", "promote", "explain"],
    Phase.PROMOTED: ["tell"] * 4,
    Phase.ROLLING_BACK: ["verify", "roll-back", "roll-back", "explain"],
    Phase.RESTORED: ["verify", "explain", "explain", "explain"],
    Phase.ROLLED_BACK: ["tell"] * 4,
    Phase.ROLLBACK_FAILED: ["nothing", "explain", "explain", "nothing"],
}


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize(("number", "standing"), list(enumerate(Standing)))
def test_every_record_in_every_standing_has_its_next_step(phase: Phase, number: int, standing: Standing) -> None:
    assert kind(next_step(record(phase), standing, repeatable=True)) == TABLE[phase][number]


def test_no_record_leaves_nothing_to_do() -> None:
    assert isinstance(next_step(None, Standing.AFTER, repeatable=True), Nothing)


@pytest.mark.parametrize("phase", [Phase.PROMOTED, Phase.ROLLED_BACK])
def test_an_end_that_somebody_was_told_of_leaves_nothing_to_do(phase: Phase) -> None:
    assert isinstance(next_step(record(phase, told=True), Standing.AFTER, repeatable=True), Nothing)


def test_a_breaking_schema_is_never_rolled_back_by_a_later_run() -> None:
    found = next_step(record(Phase.SMOKING, can_roll_back=False), Standing.AFTER, repeatable=True)
    assert isinstance(found, Explain)
    assert "breaking" in found.why


def test_the_consumers_own_rollback_is_not_made_twice() -> None:
    found = next_step(record(Phase.ROLLING_BACK), Standing.AFTER, repeatable=False)
    assert isinstance(found, Explain)
    assert OLD.identity in found.by_hand


@given(st.sampled_from(list(Phase)), st.sampled_from(list(Standing)), st.booleans(), st.booleans(), st.booleans())
def test_a_rollback_is_only_begun_or_finished_where_the_new_release_may_run(
    phase: Phase, standing: Standing, told: bool, can: bool, repeatable: bool
) -> None:
    found = next_step(record(phase, told=told, can_roll_back=can), standing, repeatable=repeatable)
    if isinstance(found, Finish) and found.action is Action.ROLL_BACK:
        assert standing in {Standing.AFTER, Standing.MIDWAY}
        assert phase not in {Phase.RESTORED, Phase.ROLLED_BACK, Phase.ROLLBACK_FAILED, Phase.PROMOTED}
    assert FIRST.url in found.why or isinstance(found, Nothing)
