"""What the plug-in's fixtures decide; how they work between workers is in tests/integration/test_fixtures.py."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts" / "pytest-ci-kit" / "src"))
from pytest_ci_kit.fixtures import locks, ports, waiting
from pytest_ci_kit.fixtures.locks import Held, Numbers, is_held
from pytest_ci_kit.fixtures.names import Names
from pytest_ci_kit.fixtures.once import Run
from pytest_ci_kit.fixtures.redis import take_number, with_number, without_password

PLUGIN = Path(locks.__file__).parents[2]
OF_A_HOST = re.compile(r"[a-z][a-z0-9-]{0,61}[a-z0-9]")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Runs a statement in another process, which then says so and stays until its input ends."""
    started = []

    def run(statement: str) -> subprocess.Popen[str]:
        code = f"from pathlib import Path; from pytest_ci_kit.fixtures.locks import *; {statement}; print('there', flush=True); input()"
        env = {**os.environ, "PYTHONPATH": str(PLUGIN)}
        other = subprocess.Popen(
            [sys.executable, "-c", code], env=env, cwd=tmp_path, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        started.append(other)
        assert other.stdout is not None
        assert other.stdout.readline() == "there\n"
        return other

    yield run
    for other in started:
        other.kill()
        other.communicate()


@given(st.text(max_size=100))
def test_a_name_is_part_of_a_host_name(prefix: str) -> None:
    names = Names("gw0")
    made = [names(prefix) for _ in range(12)]
    assert len(set(made)) == 12
    assert all(OF_A_HOST.fullmatch(name) for name in made), made


@given(st.text(max_size=100))
def test_a_name_is_an_identifier(prefix: str) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]{0,62}", Names("gw0")(prefix, separator="_"))


def test_names_differ_between_runs_also_when_chance_is_seeded() -> None:
    made = []
    for _ in range(2):
        random.seed(1)
        made.append(Names("gw0")("bucket"))
    assert made[0] != made[1]
    assert all(re.fullmatch(r"bucket-[0-9a-f]{10}-gw0-1", name) for name in made)


@pytest.mark.parametrize(("own", "first", "last"), [((32768, 60999), 20000, 65535), ((49152, 65535), 20000, 49151)])
def test_ports_are_chosen_where_the_system_gives_none(own: tuple[int, int], first: int, last: int) -> None:
    found = ports.candidates(own)
    assert (found[0], found[-1]) == (first, last)
    assert not set(found) & set(range(own[0], own[1] + 1))


def test_ports_are_chosen_anywhere_when_the_system_gives_all() -> None:
    assert ports.candidates((1024, 65535)) == list(range(20000, 65536))


def test_ports_are_held_until_the_end_and_differ() -> None:
    known = locks.numbers("ports")
    with ports.held_ports() as take:
        mine = take(50)
        assert len(set(mine)) == 50
        assert not any(known.take(port) for port in mine)
    assert all(known.take(port) for port in mine)


def test_a_port_with_a_server_is_never_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    with ports.held_ports() as take:
        (port,) = take(1)
    monkeypatch.setattr(ports, "candidates", lambda _: [port])
    with socket.create_server(("127.0.0.1", port)), ports.held_ports() as take, pytest.raises(BaseException) as failed:
        take(1)
    assert "none is free" in str(failed.value)


def test_a_number_belongs_to_one_process_until_it_dies(tmp_path: Path, elsewhere: Callable[..., Any]) -> None:
    mine = Numbers(tmp_path / "n")
    other = elsewhere("n = Numbers(Path('n')); assert n.take(7); n.mark(7, marked=True)")
    assert not mine.take(7)
    assert mine.take(8)
    other.kill()
    other.wait()
    assert mine.take(7)
    assert not mine.take(7)
    assert (mine.is_marked(7), mine.is_marked(8)) == (True, False)
    mine.mark(7, marked=False)
    assert not mine.is_marked(7)


def test_a_lock_ends_with_its_process_also_while_its_child_lives(tmp_path: Path, elsewhere: Callable[..., Any]) -> None:
    other = elsewhere("held = Held(Path('l'), shared=True)")
    assert is_held(tmp_path / "l")
    with Held(tmp_path / "l", shared=True):
        pass
    assert is_held(tmp_path / "l")
    other.kill()
    other.wait()
    assert not is_held(tmp_path / "l")
    held = Held(tmp_path / "l")
    child = os.fork()
    if not child:
        signal.pause()
    held.release()
    assert not is_held(tmp_path / "l")
    os.kill(child, 9)
    os.waitpid(child, 0)


def test_a_folder_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"pytest-ci-kit-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(pytest.fail.Exception, match="is not a folder of this user"):
        locks.folder()


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("redis://h", "redis://h/3"),
        ("rediss://u:p@h:1/7?ssl_cert_reqs=none&db=2", "rediss://u:p@h:1/3?ssl_cert_reqs=none"),
        ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=3"),
    ],
)
def test_the_database_in_a_url(url: str, wanted: str) -> None:
    assert with_number(url, 3) == wanted
    assert "p@" not in without_password(url)


def test_a_database_with_data_is_left_alone_unless_a_test_run_left_it(tmp_path: Path) -> None:
    known = Numbers(tmp_path / "n")
    sizes = {0: 0, 1: 5, 2: 5, 3: 0}
    known.mark(2, marked=True)
    assert [take_number(sizes.__getitem__, known, 4) for _ in range(3)] == [2, 3, 0]
    with pytest.raises(pytest.fail.Exception, match=r"all 4 Redis databases .* \(redis-server --databases 64"):
        take_number(sizes.__getitem__, known, 4)


def test_waiting_tries_as_often_as_it_says() -> None:
    with ports.held_ports() as take:
        (port,) = take(1)
        pauses: list[float] = []
        with pytest.raises(
            pytest.fail.Exception, match=f"127.0.0.1:{port} is not ready after 30 tries: Connection ref"
        ):
            waiting.wait_until_ready(f"tcp://127.0.0.1:{port}", sleep=pauses.append)
    assert len(pauses) == 29
    assert pauses[0] == 0.05
    assert pauses == sorted(pauses)
    assert pauses[-1] == 1.0
    with pytest.raises(pytest.fail.Exception, match=r"not an address to wait for\. Write redis://"):
        waiting.wait_until_ready("ftp://h")


def test_one_process_sets_up_once_and_tears_down_at_its_end(tmp_path: Path) -> None:
    said: list[object] = []
    run = Run("one", "main")

    def set_up() -> object:
        said.append("up")
        return {"pair": (1, 2)}

    for _ in range(2):
        assert run.once("a", set_up, said.append) == {"pair": [1, 2]}
    assert run.once("b", lambda: 7, lambda answer: said.append(("b", answer))) == 7
    assert run.leave() == []
    assert said == ["up", ("b", 7), {"pair": [1, 2]}]
    assert list(tmp_path.glob("*/runs/*")) == []


def test_what_fails_is_not_tried_again_and_what_is_no_json_fails() -> None:
    run = Run("one", "gw3")
    attempts: list[int] = []

    def set_up() -> object:
        attempts.append(1)
        return object()

    with pytest.raises(TypeError, match="not JSON serializable"):
        run.once("a", set_up)
    with pytest.raises(pytest.fail.Exception, match=r"once_per_run\('a'\) failed in gw3(.|\n)*not JSON serializable"):
        Run("one", "gw4").once("a", set_up)
    assert len(attempts) == 1


def test_who_dies_in_set_up_twice_is_not_followed_by_a_third() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            Run("one", "gw0").once("a", interrupted)
    with pytest.raises(pytest.fail.Exception, match="died in each of 2 attempts"):
        Run("one", "gw1").once("a", lambda: 1)


def test_a_tear_down_that_fails_does_not_stop_the_others() -> None:
    run = Run("one", "main")
    said: list[object] = []
    run.once("a", lambda: 1, said.append)
    run.once("b", lambda: 0, lambda answer: 1 / answer)
    (problem,) = run.leave()
    assert "once_per_run('b'): the tear-down failed" in problem
    assert "ZeroDivisionError" in problem
    assert said == [1]
