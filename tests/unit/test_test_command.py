from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from ci_kit.machine import Machine
from ci_kit.quarantine import Entry, Quarantine
from ci_kit.test.command import (
    Request,
    Size,
    coverage_options,
    decide_workers,
    maxfail_beside,
    pytest_command,
    replaced,
)

BIG = Size(files=50, tests=500, units=80)
GIB = 2**30


@pytest.mark.parametrize(
    ("asked", "machine", "size", "scope", "count", "why"),
    [
        (3, Machine(1), BIG, "auto", 3, "asked for"),
        (1, Machine(8), BIG, "auto", 0, "asked for"),
        (None, Machine(1), BIG, "auto", 0, "one core"),
        (None, Machine(1, why="the container may use 1 cores"), BIG, "auto", 0, "the container"),
        (None, Machine(4), BIG, "auto", 4, "4 cores"),
        (None, Machine(4), None, "auto", 4, "4 cores"),
        (None, Machine(4, 8 * GIB), BIG, "auto", 4, "4 cores"),
        (None, Machine(16, GIB), BIG, "auto", 4, "1024 MiB of memory are free"),
        (None, Machine(4, GIB // 8), BIG, "auto", 0, "128 MiB of memory are free"),
        (None, Machine(4), Size(2, 15, 8), "auto", 0, "about 15 tests in 2 files"),
        (None, Machine(4), Size(2, 15, 8, seconds=30.0), "auto", 4, "4 cores"),
        (None, Machine(4), Size(50, 500, 80, seconds=0.9), "auto", 0, "0.9 s one after the other"),
        (None, Machine(2), Size(50, 500, 80, seconds=1.9), "auto", 0, "1.9 s one after the other"),
        (None, Machine(4), Size(50, 500, 80, seconds=1.9), "auto", 4, "4 cores"),
        (None, Machine(4), Size(1, 100, 1), "class", 0, "stay together"),
        (None, Machine(4), Size(1, 100, 1), "auto", 4, "4 cores"),
        (None, Machine(4), Size(1, 100, 1), "none", 4, "4 cores"),
        (None, Machine(4), Size(3, 100, 9), "file", 3, "3 groups"),
        (None, Machine(4), Size(3, 100, 9), "module", 3, "3 groups"),
        (None, Machine(4), Size(3, 100, 9), "auto", 4, "4 cores"),
    ],
)
def test_workers(asked: int | None, machine: Machine, size: Size | None, scope: str, count: int, why: str) -> None:
    decided = decide_workers(asked, machine, size, scope)
    assert decided.count == count
    assert why in decided.why


@pytest.mark.parametrize(
    ("maxfail", "ids", "expected"),
    [(10, [], 10), (10, ["a.py::one", "a.py::two"], 14), (10, ["a.py::one", "b.py::*"], 0), (0, ["a.py::one"], 0)],
)
def test_failures_in_quarantine_never_stop_a_shard(maxfail: int, ids: list[str], expected: int) -> None:
    entries = tuple(Entry(name, "owner", "reason", date(2030, 1, 31), 1) for name in ids)
    assert maxfail_beside(maxfail, Quarantine("q.yml", entries)) == expected


def request(**more: object) -> Request:
    base: dict[str, object] = {
        "python": Path("/v/bin/python"), "task": Path("/t/task.json"), "stream": Path("/t/log"), "paths": ("tests",),
        "marker": None, "workers": 0, "scope": "auto", "reruns": 3, "maxfail": 10,
    }  # fmt: skip
    return Request(**(base | more))  # type: ignore[arg-type]


def test_the_kits_options_come_behind_the_callers_and_paths_last() -> None:
    argv = pytest_command(request(extra=("-n", "9", "--reruns=9"), marker="not slow", workers=2))
    assert argv[:3] == ["/v/bin/python", "-m", "pytest"]
    assert argv.index("--reruns=9") < argv.index("--reruns=3")
    assert argv.index("-n") < argv.index("--numprocesses=2")
    assert argv[-3:] == ["-m", "not slow", "tests"]


@pytest.mark.parametrize(
    ("scope", "distribution"),
    [("auto", "loadscope"), ("class", "loadscope"), ("module", "loadscope"), ("file", "loadfile"), ("none", "load")],
)
def test_what_stays_together(scope: str, distribution: str) -> None:
    assert f"--dist={distribution}" in pytest_command(request(scope=scope, workers=2))
    assert "--dist=no" in pytest_command(request(scope=scope, workers=0))


def test_only_what_is_installed_is_switched_off() -> None:
    assert "--no-cov" not in pytest_command(request())
    argv = pytest_command(request(has_pytest_cov=True))
    assert argv[argv.index("pytest_cov") - 1] == "-p"
    assert "--no-cov" in argv


def test_a_read_only_workspace_has_no_cache() -> None:
    assert "no:cacheprovider" not in pytest_command(request())
    assert "no:cacheprovider" in pytest_command(request(read_only=True))


def test_replaced_options_are_named_as_written() -> None:
    options = [
        "-ra",
        "-n4",
        "--dist=load",
        "--cov=src",
        "-x",
        "--strict-markers",
        "-m",
        "slow",
        "-nauto",
        "--no-header",
    ]
    assert replaced(options, marker=False) == ["-n4", "--dist=load", "--cov=src", "-x", "-nauto"]
    assert "-m" in replaced(options, marker=True)


def test_options_of_pytest_cov_are_understood() -> None:
    found = coverage_options(["--cov", "src", "--cov=lib", "--cov-branch", "--cov-config", "x.ini", "--cov-report=xml"])
    assert (found.source, found.branch, found.config) == (("src", "lib"), True, "x.ini")
    assert coverage_options(["--cov", "--cov-report=xml", "-q"]).source == ()
    assert coverage_options([]).config == ""
