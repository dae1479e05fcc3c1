"""One run of each contender of `coverage_combine.py`, on the results of synthetic legs, and what it cost."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common import ROOT
from coverage_shards import write_sources

KIT = ROOT / "scripts" / "ci-kit"
PYTHON = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
COMMIT = "c" * 40
REPORTS = ("xml", "lcov", "json")
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Cost:
    """CPU seconds and peak memory in MB."""

    cpu: float
    memory: float


@dataclass(frozen=True)
class Bench:
    """Where everything is: `python` has coverage and what the kit needs, `env` is the least that both sides get."""

    folder: Path
    python: Path
    env: Mapping[str, str]


@dataclass(frozen=True)
class Case:
    """One repository and its shards' data: `here` the checkout, `temp` what stands for RUNNER_TEMP.

    `collecting` is the CPU seconds that a leg took at the median to gather and announce its data.
    """

    here: Path
    temp: Path
    shards: int
    branch: bool
    collecting: float = 0.0

    @property
    def mode(self) -> str:
        """How it was measured."""
        return "branch" if self.branch else "line"

    @property
    def files(self) -> list[Path]:
        """The shards' data files."""
        return sorted(self.temp.glob("ci-kit/results/*/coverage/coverage.main"))


def cost(argv: Sequence[str | Path], env: Mapping[str, str], cwd: Path) -> Cost:
    """Run to the end; raises `RuntimeError` with the output for any exit code but 0."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [str(word) for word in argv], env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise RuntimeError(f"{argv} ended with {process.returncode}:\n{output.read()[-4000:].decode()}")
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10))


def said(bench: Bench, argv: Sequence[str | Path]) -> str:
    """What a script of this benchmark prints, run with the kit on its path."""
    env = {**bench.env, "PYTHONPATH": str(ROOT / "scripts")}
    done = subprocess.run([bench.python, *argv], env=env, capture_output=True, text=True, timeout=1800, check=False)
    if done.returncode:
        raise RuntimeError(f"{argv[0]} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    return done.stdout.strip()


def prepare(folder: Path) -> Bench:
    """An environment with the locked releases, and the launcher's own, so that no measured start has to make one."""
    subprocess.run([PYTHON, "-m", "venv", folder / "venv"], check=True, timeout=120)
    python = folder / "venv" / "bin" / "python"
    pip: list[str | Path] = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes"]
    locks = [f"-r{ROOT / 'requirements' / name}" for name in ("runtime.txt", "runtime-coverage-combine.txt")]
    subprocess.run([*pip, *locks], check=True, timeout=300)
    kept = {name: os.environ[name] for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "PIP_CERT") if name in os.environ}
    env = {**kept, "HOME": str(folder), "PATH": "/usr/bin:/bin", "CI_KIT_LAUNCHER_PYTHON": PYTHON}
    cost([KIT, "coverage-combine", "combine", "--help"], env, folder)
    return Bench(folder, python, env)


def make(bench: Bench, files: int, shards: int, *, branch: bool) -> Case:
    """The sources, the data that so many shards measured, and what their legs announce."""
    mode = "branch" if branch else "line"
    here = bench.folder / f"{mode}-{files}" / "checkout"
    if not here.exists():
        write_sources(here, files, branch=branch)
    temp = bench.folder / f"{mode}-{files}" / f"temp-{shards}"
    printed = said(bench, [HERE / "coverage_legs.py", here, str(files), str(shards), mode, temp / "ci-kit", COMMIT])
    return Case(here, temp, shards, branch, statistics.median(json.loads(printed)))


def kit(bench: Bench, case: Case) -> Cost:
    """The whole step."""
    env = {**bench.env, "GITHUB_WORKSPACE": str(case.here), "RUNNER_TEMP": str(case.temp), "GITHUB_SHA": COMMIT}
    plan = case.temp / "ci-kit" / "plan.json"
    step: list[str | Path] = [KIT, "coverage-combine", "combine", "--plan", plan, "--html", "false", "--total", "1"]
    found = cost(step, {**env, "GITHUB_STEP_SUMMARY": str(case.temp / "summary.md")}, case.here)
    report_of = json.loads((case.temp / "ci-kit" / "coverage-combine.json").read_text(encoding="utf-8"))
    if len(report_of["legs"]) != case.shards:
        raise RuntimeError(f"{len(report_of['legs'])} of {case.shards} legs were combined")
    return found


def command_line(bench: Bench, case: Case) -> Cost:
    """The same data to the same formats, by coverage's own commands."""
    out = case.temp / "peer"
    out.mkdir(exist_ok=True)
    data = f"--data-file={out / 'combined'}"
    (out / "combined").unlink(missing_ok=True)
    coverage: list[str | Path] = [bench.python, "-m", "coverage"]
    runs = [cost([*coverage, "combine", "-q", "--keep", data, *case.files], bench.env, case.here)]
    runs += [cost([*coverage, each, "-q", data, "-o", out / each], bench.env, case.here) for each in REPORTS]
    _same(case, json.loads((out / "json").read_text(encoding="utf-8"))["totals"])
    return Cost(sum(run.cpu for run in runs), max(run.memory for run in runs))


def _same(case: Case, theirs: Mapping[str, float]) -> None:
    """Raise `RuntimeError` when the two do not say the same of the same data."""
    ours = json.loads((case.temp / "ci-kit" / "coverage" / "coverage.json").read_text(encoding="utf-8"))["totals"]
    if ours != theirs:
        raise RuntimeError(f"the kit counts {ours}, coverage {theirs}")


_PROVE = """
import os, sys, tempfile, time
from pathlib import Path
from ci_kit.coverage_combine.delivery import choose
from ci_kit.coverage_combine.proof import prove
from ci_kit.coverage_combine.receive import receive
from ci_kit.plan import read_plan
folder, commit = Path(sys.argv[1]), sys.argv[2]
started = time.process_time()
received = receive(folder / "results", "ci")
chosen = choose(received.deliveries, set(read_plan(folder / "plan.json").legs()), commit)
with tempfile.TemporaryDirectory() as scratch:
    proven, problems = prove(chosen.deliveries, Path(scratch))
took = time.process_time() - started
if problems or chosen.problems or received.problems:
    sys.exit(str((problems, chosen.problems, received.problems)))
print(took)
"""


def validation(bench: Bench, case: Case) -> float:
    """CPU seconds of receiving, choosing and proving alone, without the start of the interpreter."""
    return float(said(bench, ["-c", _PROVE, case.temp / "ci-kit", COMMIT]))


def job(bench: Bench, case: Case, files: int) -> Cost:
    """The least that a test job does: import its files under coverage and call what its tests call, once."""
    driver = case.temp / "job.py"
    driver.write_text(_JOB, encoding="utf-8")
    env = {**bench.env, "PYTHONPATH": f"{HERE}:{case.here / 'src'}", "PYTHONDONTWRITEBYTECODE": "1"}
    data = f"--data-file={case.temp / 'job.coverage'}"
    return cost([bench.python, "-m", "coverage", "run", data, driver, str(files)], env, case.here)


_JOB = """
import contextlib, importlib, sys
from coverage_shards import CALLS, ran_by, word_of, path_of
for number, calls in ran_by(1, int(sys.argv[1])):
    module = importlib.import_module(path_of(number).removeprefix("src/").removesuffix(".py").replace("/", "."))
    owner = getattr(module, word_of(number).title())()
    for function, call in calls:
        name = f"{word_of(number)}_{function}"
        with contextlib.suppress(ValueError):
            (getattr(module, name, None) or getattr(owner, name))(*CALLS[call])
"""
