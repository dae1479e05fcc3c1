"""Decide how pytest is called: workers, distribution, options; and which of the consumer's options that replaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ci_kit.machine import Machine
from ci_kit.quarantine import Quarantine

DISTRIBUTION = {"auto": "loadscope", "class": "loadscope", "module": "loadscope", "file": "loadfile", "none": "load"}
RERUN_PAUSE_SECONDS = 0.5
FEW_TESTS = 16  # starting workers costs about as much as so many ordinary tests
START_SECONDS = 1.0  # until workers have started and collected, beyond what pytest alone needs
WORKER_BYTES = 256 * 2**20  # what a worker takes at least, with the project's imports; a browser or a model takes more


@dataclass(frozen=True)
class Workers:
    """How many worker processes, 0: pytest runs without xdist; and why, as a sentence."""

    count: int
    why: str


@dataclass(frozen=True)
class Size:
    """The shard's work: a guess from its files at tests and units that stay together (modules and classes).

    `seconds` is the recorded time of its tests, None when most of them are new.
    """

    files: int
    tests: int
    units: int
    seconds: float | None = None


def decide_workers(asked: int | None, machine: Machine, size: Size | None, scope: str) -> Workers:
    """`asked` None: from the machine and the size. `size` None: nothing is known of the work."""
    if asked is not None:
        return Workers(asked if asked > 1 else 0, f"{asked} asked for")
    most, why = _most(machine)
    if most < 2:
        return Workers(0, why)
    if size is None:
        return Workers(most, why)
    if size.seconds is not None:
        # Workers that wait for each other at the end are not counted: a tiny gain is not worth their noise either.
        if size.seconds * (1 - 1 / most) < START_SECONDS:
            took = f"the tests take {size.seconds:.1f} s one after the other"
            return Workers(0, f"{took}: starting workers costs more than it saves")
    elif size.tests < FEW_TESTS:
        return Workers(0, f"about {size.tests} tests in {size.files} files: starting workers costs more than it saves")
    # Under `auto` a module beyond a worker's share is cut, so that its tests are the limit.
    units = {"auto": size.tests, "none": size.tests, "class": size.units}.get(scope, size.files)
    if units < 2:
        return Workers(0, f"all tests stay together (scope {scope})")
    if units < most:
        return Workers(units, f"{units} groups of tests that stay together (scope {scope})")
    return Workers(most, why)


def _most(machine: Machine) -> tuple[int, str]:
    """The workers that the machine bears."""
    cores = f"{machine.cores} cores" if machine.cores > 1 else "the machine has one core"
    why = f"{cores}: {machine.why}" if machine.why else cores
    if machine.memory_bytes is None or machine.memory_bytes >= machine.cores * WORKER_BYTES:
        return machine.cores, why
    most = max(1, machine.memory_bytes // WORKER_BYTES)
    free = f"{machine.memory_bytes / 2**20:.0f} MiB of memory are free, {WORKER_BYTES // 2**20} for each worker"
    return most, free


def maxfail_beside(maxfail: int, quarantine: Quarantine) -> int:
    """So many failures that those in quarantine alone never stop a shard; 0, never, where a pattern covers any number.

    pytest counts a test twice that fails in its call and in its tear-down.
    """
    if not maxfail or any(entry.is_pattern for entry in quarantine.entries):
        return 0
    return maxfail + 2 * len(quarantine.entries)


@dataclass(frozen=True)
class Request:
    """What pytest is asked to do."""

    python: Path
    task: Path
    stream: Path
    paths: tuple[str, ...]
    marker: str | None
    workers: int
    scope: str
    reruns: int
    maxfail: int
    rerun_only: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    has_pytest_cov: bool = False
    has_exclude_logs: bool = True
    read_only: bool = False


def pytest_command(request: Request) -> list[str]:
    """The argument list. The kit's options come last, because pytest lets the later one win.

    Plug-ins are named by entry point: `-p` loads them also where loading by itself is switched off (`-p no:xdist`,
    PYTEST_DISABLE_PLUGIN_AUTOLOAD), and pytest does not load them twice.
    """
    plugins = ["pytest_ci_kit", "pytest_reportlog", "rerunfailures", "xdist"]
    plugins += ["pytest_cov"] if request.has_pytest_cov else []
    argv = [str(request.python), "-m", "pytest", *(word for name in plugins for word in ("-p", name)), *request.extra]
    argv += [f"--ci-kit-task={request.task}", f"--report-log={request.stream}"]
    argv += ["--report-log-exclude-logs-on-passed-tests"] if request.has_exclude_logs else []
    argv += [f"--reruns={request.reruns}", f"--maxfail={request.maxfail}"]
    # What is flaky is mostly a matter of time; a failure that is real costs at most three such pauses.
    argv += [f"--reruns-delay={RERUN_PAUSE_SECONDS}"] if request.reruns else []
    argv += [f"--only-rerun={pattern}" for pattern in request.rerun_only]
    argv += [f"--numprocesses={request.workers}"]
    argv += [f"--dist={DISTRIBUTION[request.scope]}"] if request.workers else ["--dist=no"]
    argv += ["--no-cov"] if request.has_pytest_cov else []
    argv += ["-p", "no:cacheprovider"] if request.read_only else []
    argv += ["-m", request.marker] if request.marker else []
    return [*argv, *request.paths]


_REPLACED = {
    "-n": "workers", "--numprocesses": "workers", "--maxprocesses": "workers", "--dist": "scope", "--tx": "workers",
    "--reruns": "reruns", "--maxfail": "maxfail", "-x": "maxfail", "--exitfirst": "maxfail",
    "--report-log": "its own report", "--cov": "coverage", "--cov-report": "coverage", "--cov-fail-under": "coverage",
}  # fmt: skip


def replaced(options: Sequence[str], *, marker: bool) -> list[str]:
    """The consumer's options that the kit's own replace, as the consumer wrote them."""
    return [
        word
        for word in options
        if _name(word) in _REPLACED or (marker and (word == "-m" or (word.startswith("-m") and word[2:3] != "-")))
    ]


def _name(word: str) -> str:
    name = word.partition("=")[0]
    return "-n" if word.startswith("-n") and word[2:].isalnum() and not word.startswith("--") else name


@dataclass(frozen=True)
class CoverageOptions:
    """What the consumer tells pytest-cov: measured sources, branch measurement and coverage.py's configuration file."""

    source: tuple[str, ...] = ()
    branch: bool = False
    config: str = ""


def coverage_options(options: Sequence[str]) -> CoverageOptions:
    """Read pytest-cov's options, so that its users get the same measurement."""
    pairs = list(_pairs(options))
    source = tuple(value for name, value in pairs if name == "--cov" and value)
    config = [value for name, value in pairs if name == "--cov-config" and value]
    return CoverageOptions(source, any(name == "--cov-branch" for name, _ in pairs), config[-1] if config else "")


def _pairs(options: Sequence[str]) -> Iterator[tuple[str, str]]:
    following = [*options[1:], ""][: len(options)]
    for word, after in zip(options, following, strict=True):
        name, equals, value = word.partition("=")
        yield name, value if equals else ("" if after.startswith("-") else after)
