"""Weights over the runtime socket of a real haproxy with real backends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ci_kit.clock import SystemClock
from ci_kit.errors import CallerMistake
from ci_kit.process import SubprocessRunner
from ci_kit.smoke_and_rollback.deployment_state import Owner, Snapshot, Standing
from ci_kit.smoke_and_rollback.rollback_options import Options
from ci_kit.smoke_and_rollback.strategies import Strategy, World, find
from ci_kit.smoke_and_rollback.target_errors import RollbackError, TargetFailure
from tooling.haproxy import Proxy, haproxy, until

TARGET_SECONDS = 2.0
GROUPS = {"blue": ["b1", "b2"], "green": ["g1"]}


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    with haproxy(tmp_path, ["b1", "b2", "g1"], weights=[100, 100, 0]) as started:
        yield started


def strategy(proxy: Proxy, **more: object) -> Strategy:
    folder = proxy.socket.parent
    values = {
        "socket": str(proxy.socket), "backend": "app", "groups": GROUPS, "configuration": str(folder / "haproxy.cfg"), **more,
    }  # fmt: skip
    return find("haproxy")(Options(values), World(SubprocessRunner(), SystemClock()))


def test_a_canary_step_gives_its_share_and_the_rollback_takes_two_seconds(proxy: Proxy) -> None:
    target = strategy(proxy)
    target.preflight()
    before = target.snapshot()
    assert before.artifact is None
    assert target.deploy_environment(before)["CI_KIT_GROUP"] == "green"
    assert set(proxy.shares()) == {"b1", "b2"}
    target.weight(10, before)
    assert proxy.shares()["g1"] in {9, 10, 11}
    target.weight(50, before)
    assert proxy.shares()["g1"] in {49, 50, 51}
    started = time.monotonic()
    target.rollback(before)
    target.wait(started + 60)
    target.verify(before)
    assert time.monotonic() - started <= TARGET_SECONDS
    assert set(proxy.shares()) == {"b1", "b2"}
    assert target.standing(before, None) is Standing.BEFORE


def test_a_promoted_release_can_still_be_taken_back(proxy: Proxy) -> None:
    target = strategy(proxy)
    before = target.snapshot()
    target.weight(100, before)
    assert proxy.shares(20) == {"g1": 20}
    promoted = target.snapshot()
    assert target.deploy_environment(promoted)["CI_KIT_GROUP"] == "blue"
    target.rollback(before)
    target.verify(before)
    assert set(proxy.shares(20)) == {"b1", "b2"}
    target.rollback(promoted)
    target.verify(promoted)
    assert proxy.shares(20) == {"g1": 20}


def test_no_request_fails_while_weights_change(proxy: Proxy) -> None:
    target = strategy(proxy)
    before = target.snapshot()
    stop = threading.Event()
    failures: list[Exception] = []

    def ask() -> None:
        while not stop.is_set():
            try:
                proxy.ask()
            except OSError as error:
                failures.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    for _ in range(10):
        target.weight(50, before)
        target.weight(100, before)
        target.rollback(before)
    stop.set()
    asking.join()
    assert failures == []


def slow_request(proxy: Proxy, answers: list[str]) -> threading.Thread:
    def ask() -> None:
        try:
            answers.append(proxy.ask("/slow"))
        except OSError as error:
            answers.append(type(error).__name__)

    thread = threading.Thread(target=ask)
    thread.start()
    assert proxy.backends["g1"].asked.wait(20)
    return thread


def test_a_request_on_the_bad_release_is_answered_before_the_wait_ends(proxy: Proxy) -> None:
    target = strategy(proxy)
    before = target.snapshot()
    target.weight(100, before)
    answers: list[str] = []
    thread = slow_request(proxy, answers)
    target.rollback(before)
    threading.Timer(0.3, proxy.backends["g1"].hold.set).start()
    target.wait(time.monotonic() + 60)
    thread.join()
    assert answers == ["g1"]


def test_a_request_that_does_not_end_is_cut_off_at_the_deadline(proxy: Proxy) -> None:
    target = strategy(proxy)
    before = target.snapshot()
    target.weight(100, before)
    answers: list[str] = []
    thread = slow_request(proxy, answers)
    target.rollback(before)
    target.wait(time.monotonic() + 0.5)
    thread.join()
    assert answers != ["g1"]


def test_an_unchanged_target_is_not_touched(proxy: Proxy) -> None:
    target = strategy(proxy)
    before = target.snapshot()
    target.rollback(before)
    assert target.snapshot() == before


def test_half_a_rollback_is_finished(proxy: Proxy) -> None:
    target = strategy(proxy)
    before = Snapshot.from_json(target.snapshot().to_json())
    target.weight(50, before)
    after = target.snapshot()
    socket = target._socket  # type: ignore[attr-defined]
    socket.set("app", "b1", "weight 100")  # what a killed run has done
    again = strategy(proxy)
    assert again.standing(before, after) is Standing.AFTER
    again.rollback(before)
    again.verify(before)
    assert set(proxy.shares()) == {"b1", "b2"}


def test_servers_that_are_down_are_not_given_the_traffic(proxy: Proxy) -> None:
    target = strategy(proxy)
    before = target.snapshot()
    target.weight(50, before)
    for name in ("b1", "b2"):
        proxy.backends[name].shutdown()
        proxy.backends[name].server_close()
    until(lambda: not any(server.up for server in target._servers().values() if server.name != "g1"))  # type: ignore[attr-defined]
    with pytest.raises(RollbackError, match="b1, b2, which served before, is up") as error:
        target.rollback(before)
    assert before.identity in error.value.next_step


def test_the_state_lies_beside_the_configuration(proxy: Proxy) -> None:
    owner = Owner("org/app/1", 1)
    strategy(proxy).state.lock(owner)
    held = strategy(proxy).state.read().lock
    assert held is not None
    assert held.owner == owner
    assert (proxy.socket.parent / "haproxy.cfg.ci-kit.json").is_file()


def test_the_weights_are_kept_for_a_reload(proxy: Proxy, tmp_path: Path) -> None:
    target = strategy(proxy, **{"server-state-file": str(tmp_path / "servers")})
    target.weight(100, target.snapshot())
    columns, *rows = [line.split() for line in (tmp_path / "servers").read_text().splitlines()[1:] if line]
    weights = {row[3]: row[columns.index("srv_uweight") - 1] for row in rows}
    assert (weights["b1"], weights["b2"]) == ("0", "0")
    assert weights["g1"] != "0"


@pytest.mark.parametrize(
    ("option", "error", "says"),
    [
        ({"backend": "none"}, CallerMistake, "no backend 'none'"),
        ({"groups": {"blue": ["b1"], "green": ["g9"]}}, TargetFailure, "no server g9"),
        ({"socket": "/no/such/socket"}, TargetFailure, "cannot be reached"),
        ({"groups": {"blue": ["b1"], "green": ["b1"]}}, CallerMistake, "twice"),
        ({"groups": {"blue": ["b1"]}}, CallerMistake, "two groups"),
    ],
)
def test_what_cannot_work_is_said_before_anything_ships(
    proxy: Proxy, option: dict[str, object], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        strategy(proxy, **option).preflight()


def test_a_backend_whose_weights_are_fixed_is_refused_before_anything_ships(tmp_path: Path) -> None:
    with (
        haproxy(tmp_path, ["b1", "b2", "g1"], weights=[90, 90, 0], balance="static-rr") as proxy,
        pytest.raises(TargetFailure, match=r"static LB"),
    ):
        strategy(proxy).preflight()
