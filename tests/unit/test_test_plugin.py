"""The plug-in's own decisions; how it works inside pytest is in tests/integration/test_test_run.py."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts" / "pytest-ci-kit" / "src"))
from pytest_ci_kit.record import SECTION_LIMIT, Selector, Task, shorten
from pytest_ci_kit.reruns import ask_without_delay

NAMES = [f"{folder}/test_{n}.py" for folder in ("a", "a/b", "c") for n in range(3)]


def selector(root: Path, mine: set[str], others: set[str], *, owns_unplanned: bool) -> Selector:
    return Selector(Task(root, root, frozenset(mine), frozenset(others), owns_unplanned))


@given(st.lists(st.integers(0, 3), min_size=len(NAMES), max_size=len(NAMES)))
def test_every_file_runs_in_exactly_one_shard(owners: list[int]) -> None:
    root = Path("/w")
    shards = [{name for name, owner in zip(NAMES, owners, strict=True) if owner == n} for n in range(3)]
    planned = set().union(*shards)
    made = [selector(root, mine, planned - mine, owns_unplanned=n == 0) for n, mine in enumerate(shards)]
    for name in [*NAMES, "doc/unplanned.md"]:
        runs = [n for n, one in enumerate(made) if one.runs(root / name)]
        assert len(runs) == 1
        assert runs == [0] or name in shards[runs[0]]


def test_folders_are_left_out_only_where_nothing_can_be_in_them(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "c").mkdir()
    first = selector(tmp_path, {"a/b/t.py"}, {"c/t.py"}, owns_unplanned=True)
    second = selector(tmp_path, {"a/b/t.py"}, {"c/t.py"}, owns_unplanned=False)
    for path, one, two in (("a", False, False), ("a/b", False, False), ("c", False, True), ("c/t.py", True, True)):
        assert (first.skips(tmp_path / path), second.skips(tmp_path / path)) == (one, two), path
    assert not second.skips(tmp_path / "c" / "__init__.py")


def test_a_workspace_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    one = selector(tmp_path / "link", {"t.py"}, {"u.py"}, owns_unplanned=False)
    assert one.runs(tmp_path / "link" / "t.py")
    assert one.runs(tmp_path / "real" / "t.py")
    assert not one.runs(tmp_path / "real" / "u.py")


@pytest.mark.parametrize("argument", ["t.py", "t.py::test", "./t.py"])
def test_arguments(tmp_path: Path, argument: str) -> None:
    (tmp_path / "t.py").touch()
    assert not selector(tmp_path, set(), {"t.py"}, owns_unplanned=True).runs_argument(tmp_path, argument)
    assert selector(tmp_path, {"t.py"}, set(), owns_unplanned=False).runs_argument(tmp_path, argument)
    assert selector(tmp_path, set(), {"t.py"}, owns_unplanned=False).runs_argument(tmp_path, ".")


@given(st.integers(0, 3 * SECTION_LIMIT))
def test_long_output_keeps_its_ends(size: int) -> None:
    text = "".join(("begin", "x" * size, "end"))
    short = shorten(text)
    assert len(short) <= SECTION_LIMIT + 100
    assert short.startswith("begin")
    assert short.endswith("end")
    assert (short == text) == (len(text) <= SECTION_LIMIT)


def test_reruns_are_asked_about_without_delay() -> None:
    """Else Nagle's algorithm costs 40 ms a test under pytest-rerunfailures."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as link:
        config: Any = SimpleNamespace(failures_db=SimpleNamespace(sock=link))
        ask_without_delay(config)
        assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    ask_without_delay(config)
    for other in (SimpleNamespace(), SimpleNamespace(failures_db=object())):
        without: Any = other
        ask_without_delay(without)
