"""Real runs of pytest on xdist workers: suites to run, schedulers to run them with, and what each run took."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common import ROOT

PLUGIN = ROOT / "scripts" / "pytest-ci-kit" / "src"
PEERS: Mapping[str, tuple[str, ...]] = {
    "loadfile": ("--dist=loadfile",),
    "loadscope": ("--dist=loadscope",),
    # Sends single tests: for long ones better than its own choice, which hands out a quarter of the suite at once.
    "load": ("--dist=load", "--maxschedchunk=1"),
    "worksteal": ("--dist=worksteal",),
}
KIT = "kit"
KIT_NEW = "kit, no history"

# Every worker notes when each of its tests ran; the controller, when the last worker had collected. One clock for all.
_CLOCK = """
import json, os, time
import pytest

TIMES = []

@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    begun = time.monotonic()
    yield
    TIMES.append((item.nodeid, begun, time.monotonic()))

@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished():
    with open(os.path.join(os.environ["TIMES"], "begun"), "w") as file:
        file.write(str(time.monotonic()))

def pytest_sessionfinish():
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        with open(os.path.join(os.environ["TIMES"], worker + ".json"), "w") as file:
            json.dump(TIMES, file)
"""


@dataclass(frozen=True)
class Suite:
    """A folder to run pytest in, with its arguments. `seconds` is how long each test takes alone, at the least."""

    folder: Path
    arguments: tuple[str, ...]
    seconds: Mapping[str, float]

    def bound(self, workers: int) -> float:
        """No schedule takes less: max(sum / workers, longest test)."""
        return max(sum(self.seconds.values()) / workers, *self.seconds.values())


@dataclass(frozen=True)
class Timed:
    """One run: seconds from the end of collection to the end of the last test, every test's, and what was set up."""

    makespan: float
    durations: Mapping[str, float]
    module_starts: float


def zipf(chance: random.Random, modules: int = 20, largest: int = 60, exponent: float = 1.4) -> list[int]:
    """Tests of each module by Zipf's law, in any order: the largest module holds about two fifths of all."""
    sizes = [max(1, round(largest / rank**exponent)) for rank in range(1, modules + 1)]
    chance.shuffle(sizes)
    return sizes


def pareto(chance: random.Random, modules: int = 24, exponent: float = 1.1) -> list[int]:
    """Tests of each module by Pareto's law: mostly no module holds more than a quarter."""
    return [min(80, int(2 * chance.paretovariate(exponent))) for _ in range(modules)]


def sleeping_suite(folder: Path, seed: int, total_seconds: float, law: Callable[[random.Random], list[int]]) -> Suite:
    """Modules of the sizes that `law` gives, half of them in classes; durations are log-normal, their sum is given."""
    chance = random.Random(seed)  # noqa: S311 - has to be repeatable
    sizes = law(chance)
    sleeps = [[chance.lognormvariate(0, 0.8) for _ in range(size)] for size in sizes]
    factor = total_seconds / sum(map(sum, sleeps))
    folder.mkdir(parents=True)
    (folder / "conftest.py").write_text(_CLOCK, encoding="utf-8")
    found: dict[str, float] = {}
    for module, row in enumerate(sleeps):
        name = f"test_{module:02}.py"
        lines = ["import time", ""]
        for number, raw in enumerate(row):
            sleep = round(raw * factor, 6)
            if module % 2:
                lines += [f"class TestGroup{number // 5}:"] if number % 5 == 0 else []
                lines += [f"    def test_{number}(self):", f"        time.sleep({sleep})", ""]
                found[f"{name}::TestGroup{number // 5}::test_{number}"] = sleep
            else:
                lines += [f"def test_{number}():", f"    time.sleep({sleep})", ""]
                found[f"{name}::test_{number}"] = sleep
        (folder / name).write_text("\n".join(lines), encoding="utf-8")
    return Suite(folder, (".",), found)


def run(python: Path, suite: Suite, contender: str, workers: int, durations: Mapping[str, float]) -> Timed:
    """Run the suite once. Raises `RuntimeError` when it is not green or a test is missing."""
    with tempfile.TemporaryDirectory(prefix="ci-kit-schedule-") as name:
        folder = Path(name)
        argv = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", str(workers)]
        argv += (
            _task(folder, suite, durations if contender == KIT else {})
            if contender in (KIT, KIT_NEW)
            else PEERS[contender]
        )
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "PYTHON", "COV"))}
        done = subprocess.run(
            [*argv, *suite.arguments], cwd=suite.folder, check=False, timeout=900,
            env={**kept, "TIMES": name, "PYTHONPATH": str(PLUGIN), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        rows = [(path.stem, row) for path in folder.glob("gw*.json") for row in json.loads(path.read_text())]
        taken = {test: end - begun for _, (test, begun, end) in rows}
        if done.returncode or len(taken) != len(rows) or (suite.seconds and taken.keys() != suite.seconds.keys()):
            raise RuntimeError(f"{contender} on {workers} workers ended with {done.returncode}:\n{done.stdout[-3000:]}")
        begun = float((folder / "begun").read_text())
    modules = {test.partition("::")[0] for test in taken}
    visits = {(worker, test.partition("::")[0]) for worker, (test, _, _) in rows}
    return Timed(max(end for _, (_, _, end) in rows) - begun, taken, len(visits) / len(modules))


def _task(folder: Path, suite: Suite, durations: Mapping[str, float]) -> Sequence[str]:
    task = {
        "root": str(suite.folder), "record": str(folder), "mine": [], "others": [], "owns-unplanned": True,
        "scope": "auto", "durations": dict(durations),
    }  # fmt: skip
    path = folder / "task.json"
    path.write_text(json.dumps(task), encoding="utf-8")
    return ["-p", "pytest_ci_kit", f"--ci-kit-task={path}", "--dist=loadscope"]


def environment(folder: Path, *packages: str) -> Path:
    """A virtual environment with pytest, xdist and `packages` from the package index; answers its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=300)
    python = folder / "bin" / "python"
    install = [
        str(python),
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        "pytest",
        "pytest-xdist",
        *packages,
    ]
    done = subprocess.run(install, check=False, timeout=600, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"pip cannot install what the benchmark needs:\n{done.stderr[-2000:]}")
    return python


def versions(python: Path, *names: str) -> str:
    """The releases in an environment."""
    code = f"from importlib.metadata import version as v; print(', '.join(f'{{n}} {{v(n)}}' for n in {names!r}))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()
