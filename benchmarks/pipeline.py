#!/usr/bin/env python3
"""The kit's pipeline against the usual ones, on examples/auth-service, all through act on this machine.

naive: one job; a fresh pip install, pytest twice one after the other without xdist, mutmut over the whole of `app`.
tuned: one job by hand; uv with its cache, pytest-xdist, coverage; the kit against it runs one shard and no lint.

mutmut over everything takes longer than anyone waits, so it runs for a fixed time and its pace is extrapolated to all of
its mutants. The pushes here touch nothing critical, so the kit tries no mutants: read the ratio with the one without
mutation beside it. All legs of the kit share this one machine here; on GitHub each has its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import ROOT, read_options, report, table

sys.path.append(str(ROOT / "scripts"))
from ci_kit.act.preparation import cache_folder, provide_uv
from ci_kit.process import SubprocessRunner

KIT = ROOT / "scripts" / "ci-kit"
PYTHON = "{}.{}".format(*sys.version_info)
SECRET = "JWT_SECRET_KEY=k3y-of-the-benchmark-only-9f8e7d6c5b4a"  # noqa: S105 - made up here
JOB_SECONDS = 120.0
CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1"
SETUP_PYTHON = "actions/setup-python@5fda3b95a4ea91299a34e894583c3862153e4b97"
SETUP_UV = "astral-sh/setup-uv@1c37ad07a6a961277cf70c0d37d6f313000f5884"
CACHE = "actions/cache@55cc8345863c7cc4c66a329aec7e433d2d1c52a9"
HEAD = """on: [push, pull_request]
permissions: {}
jobs:
  ci:
    runs-on: ubuntu-latest
    timeout-minutes: 60
    services:
      redis:
        image: redis:7
        ports: ["6379:6379"]
    env:
      REDIS_URL: redis://127.0.0.1:6379/0
    steps:
"""


def workflow(*steps: str) -> str:
    """A single job: checkout, Python, then the steps as YAML."""
    first = [f"uses: {CHECKOUT}", f'uses: {SETUP_PYTHON}\n        with: {{python-version: "{PYTHON}"}}']
    return HEAD + "".join(f"      - {step}\n" for step in (*first, *steps))


NAIVE = workflow(
    "run: python -m venv .venv && .venv/bin/python -m pip install -q --no-cache-dir -r requirements.txt",
    "run: .venv/bin/python -m pytest -q",
    "run: .venv/bin/python -m pytest -q --cov=app --cov-branch --cov-report=xml",
)
SINGLE = f"""on: [push, pull_request]
permissions: {{}}
jobs:
  ci:
    runs-on: ubuntu-latest
    timeout-minutes: 60
    permissions: {{contents: read}}
    steps:
      - uses: {CHECKOUT}
        with: {{fetch-depth: 2}}
      - id: kit
        uses: org/ci-kit@0123456789abcdef0123456789abcdef01234567
        with: {{env: "${{{{ secrets.CI_KIT_ENV }}}}"}}
"""
TUNED = workflow(
    f"uses: {SETUP_UV}",
    f"uses: {CACHE}\n        with: {{path: ~/.cache/uv, key: \"uv-${{{{ hashFiles('uv.lock') }}}}\"}}",
    "run: uv sync --locked -q",
    "run: .venv/bin/python -m pytest -q -n auto --cov=app --cov-branch --cov-report=xml --cov-fail-under=90",
)


@dataclass(frozen=True)
class Run:
    """One run: wall seconds as act saw it, and its whole report."""

    seconds: float
    data: Mapping[str, Any]
    folder: Path

    def job(self, name: str) -> Mapping[str, Any]:
        """The job called `name`, its first leg."""
        found: Mapping[str, Any] = next(job for job in self.data["jobs"] if job["id"] == name)
        return found

    def step(self, job: str, *path: str) -> float:
        """Seconds of one step."""
        return float(
            next(s["seconds"] for s in self.job(job)["steps"] if s["path"] == list(path) and s["stage"] == "main")
        )


class Bench:
    """The consumers and how they run; everything below one temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0

    def consumer(self, name: str, changes: Mapping[str, str]) -> Path:
        """auth-service with some files replaced, as a repository."""
        target = self.folder / name
        leave = shutil.ignore_patterns(".venv", "__pycache__", ".*_cache", ".coverage*", ".hypothesis", "build")
        shutil.copytree(ROOT / "examples" / "auth-service", target, ignore=leave)
        for file, text in changes.items():
            (target / file).write_text(text, encoding="utf-8")
        # Two commits: after a first push the kit would try mutants too, for minutes that no other pipeline here spends.
        push = ["commit", "-qm", "push", "--allow-empty"]
        for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "state"], push):
            identity = ["-c", "user.name=b", "-c", "user.email=b@example.invalid", "-c", "commit.gpgsign=false"]
            subprocess.run(["git", *identity, *words], cwd=target, check=True, timeout=60)
        return target

    def run(self, repo: Path, event: str, *, cache: str = "cache") -> Run:
        """One run through act; raises `RuntimeError` when it is not green."""
        self._count += 1
        output = self.folder / f"out-{self._count}"
        command = [
            KIT,
            "act",
            "run",
            "--repo",
            repo,
            "--event",
            event,
            "--output",
            output,
            "--cache",
            self.folder / cache,
        ]
        command += ["--actions", "stand-ins", "--secret", "CI_KIT_ENV"]
        done = subprocess.run(
            [str(word) for word in command],
            env={**os.environ, "CI_KIT_ENV": SECRET},
            capture_output=True,
            text=True,
            timeout=3000,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{repo.name} {event} is not green:\n{done.stdout[-5000:]}{done.stderr[-2000:]}")
        data = json.loads((output / "act.json").read_text(encoding="utf-8"))
        return Run(float(data["seconds"]), data, output)


def config(shards: str, *, lint: bool, tiers: bool = True, services: bool = True) -> str:
    """auth-service's configuration on this Python; one tier without `tiers` or `services`, which one job cannot start."""
    text = (ROOT / "examples" / "auth-service" / ".github" / "ci-kit.yml").read_text(encoding="utf-8")
    text = re.sub(r"(?m)^python: .*$", f'python: ["{PYTHON}"]', text)
    text = re.sub(r"(?m)^( +shards:) .*$", rf"\g<1> {shards}", text)
    if not lint:
        text = re.sub(r"(?m)^lint: .*$", "lint: []", text)
    if not services:
        text = re.sub(r"(?s)^(tiers|depth):.*?\n\n", "", text, flags=re.MULTILINE)
    elif not tiers:
        service = 'services: {redis: {image: "redis:7", ports: [6379], ready: "redis://127.0.0.1:6379"}}'
        tier = f'tiers:\n  - name: all\n    shards: {shards}\n    env: {{REDIS_URL: "redis://127.0.0.1:6379/0"}}\n    {service}\n\n'
        text = re.sub(r"(?s)^tiers:.*?\n\n", tier, text, flags=re.MULTILINE)
        text = re.sub(r"(?s)^depth:.*?\n\n", "", text, flags=re.MULTILINE)
    return text


def overhead_of_one(run: Run) -> float:
    """Seconds of the root action, all in one job, that are neither installing nor pytest."""
    return (
        run.step("ci", "kit")
        - (run.step("ci", "kit", "setup") - run.step("ci", "kit", "setup", "resolve"))
        - pytest_seconds(run)
    )


def pytest_seconds(run: Run) -> float:
    """How long the longest leg ran pytest."""
    found = run.folder.glob("artifacts/ci-results-*/test.json")
    reports = [json.loads(path.read_text(encoding="utf-8")) for path in found]
    return float(max(each["seconds"] for each in reports))


def overhead(run: Run) -> dict[str, float]:
    """Seconds on the critical path of three jobs that are neither installing nor pytest, by job.

    Interpreter, uv, the cache of packages and the packages are installing, as in any job; deciding what to install, and
    installing what the kit itself needs, is the kit's, and so are its checkouts and artifacts.
    """
    spent: dict[str, float] = {
        job: sum(s["seconds"] for s in run.job(job)["steps"] if len(s["path"]) == 1) for job in ("plan", "test", "gate")
    }
    installing = run.step("test", "setup") - run.step("test", "setup", "resolve")
    return {**spent, "test": spent["test"] - installing - pytest_seconds(run)}


def mutation_seconds(bench: Bench, uv: Path, limit: float) -> tuple[float, str]:
    """What mutmut would take over all of `app`: its start-up as it is, its pace over `limit` seconds extrapolated."""
    repo = bench.consumer("mutated", {})
    settings = '\n[tool.mutmut]\nsource_paths = ["app/"]\npytest_add_cli_args_test_selection = ["tests/unit"]\n'
    with (repo / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(settings)
    environ = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(repo / ".venv")}
    python = repo / ".venv" / "bin" / "python"
    for words in (
        ["sync", "--locked", "-q", "--python", sys.executable],
        ["pip", "install", "-q", "--python", str(python), "mutmut==3.8.1"],
    ):
        subprocess.run([uv, *words], cwd=repo, env=environ, check=True, timeout=300)
    log = bench.folder / "mutmut.log"
    readings: list[tuple[float, int, int]] = []
    started = time.monotonic()
    with log.open("wb") as file:
        child = subprocess.Popen(
            [repo / ".venv" / "bin" / "mutmut", "run"],
            cwd=repo,
            env=environ,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        while child.poll() is None and (not readings or readings[-1][0] - readings[0][0] < limit):
            if time.monotonic() - started > limit + 300:
                break
            time.sleep(0.5)
            seen = re.findall(rb"(\d+)/(\d+)\s", log.read_bytes())
            if seen and int(seen[-1][0]) > 0:
                readings.append((time.monotonic() - started, int(seen[-1][0]), int(seen[-1][1])))
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    if not readings or readings[-1][1] == readings[0][1]:
        tail = log.read_bytes()[-3000:].decode(errors="replace")
        raise RuntimeError(f"mutmut made no progress within {limit:.0f} s:\n{tail}")
    (first, tried, total), (last, more, _) = readings[0], readings[-1]
    pace = (last - first) / (more - tried)
    said = f"{more - tried} of {total} mutants in {last - first:.0f} s, start-up {first:.0f} s, the rest extrapolated"
    return first + (total - tried) * pace, said


def main() -> int:
    """Measure and report."""
    options = read_options(__doc__ or "")
    rounds = 1 if options.quick else 3
    folder = Path(tempfile.mkdtemp(prefix="ci-kit-benchmark-"))
    try:
        bench = Bench(folder)
        uv = provide_uv(SubprocessRunner(), os.environ, ROOT, cache_folder(os.environ))
        exported = subprocess.run(
            [uv, "export", "-q", "--locked", "--no-hashes", "--format", "requirements-txt"],
            cwd=ROOT / "examples" / "auth-service", capture_output=True, text=True, check=True, timeout=120,
        ).stdout  # fmt: skip
        own = ".github/workflows/ci.yml"
        kit = bench.consumer("kit", {".github/ci-kit.yml": config("2", lint=True)})
        one = bench.consumer("one-shard", {".github/ci-kit.yml": config("1", lint=False, tiers=False)})
        naive = bench.consumer("naive", {own: NAIVE, "requirements.txt": exported})
        tuned = bench.consumer("tuned", {own: TUNED})
        single = bench.consumer("single", {own: SINGLE, ".github/ci-kit.yml": config("1", lint=False, services=False)})
        alone = [overhead_of_one(bench.run(single, "pull_request", cache=f"cache-of-none-{n}")) for n in range(rounds)]
        cold = [bench.run(one, "pull_request", cache=f"cache-of-nobody-{number}") for number in range(rounds)]
        parts = [overhead(run) for run in cold]
        spent = statistics.median(sum(each.values()) for each in parts)
        for repo in (kit, one, tuned):  # fill the caches, as the default branch does
            bench.run(repo, "push")
        times: dict[str, list[float]] = {name: [] for name in ("pull", "branch", "naive", "tuned", "one")}
        for _ in range(rounds):
            times["pull"].append(bench.run(kit, "pull_request").seconds)
            times["naive"].append(bench.run(naive, "pull_request").seconds)
            times["branch"].append(bench.run(kit, "push").seconds)
        # Close to each other, so more often than the rest, and in turns: what disturbs the machine disturbs both.
        for number in range(rounds + 1):
            pair = ((tuned, "tuned"), (one, "one"))
            for repo, what in pair if number % 2 else reversed(pair):
                times[what].append(bench.run(repo, "pull_request").seconds)
        mutation, how = mutation_seconds(bench, uv, 30 if options.quick else 600)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    middle = {name: statistics.median(values) for name, values in times.items()}
    whole = middle["naive"] + mutation
    rows = [
        ["kit, pull request (3 legs, lint)", f"{middle['pull']:.1f} s"],
        ["kit, default branch (3 legs, lint)", f"{middle['branch']:.1f} s"],
        ["naive without mutation", f"{middle['naive']:.1f} s"],
        [f"mutmut on all of app ({how})", f"{mutation:.0f} s"],
        ["kit, one shard, no lint", f"{middle['one']:.1f} s"],
        ["tuned single job", f"{middle['tuned']:.1f} s"],
        ["kit's overhead in one job, empty HOME and tool cache", f"{statistics.median(alone):.1f} s"],
        ["kit's overhead over the three jobs of the critical path", f"{spent:.1f} s"],
        *([f"of it in {job}", f"{statistics.median(each[job] for each in parts):.1f} s"] for job in parts[0]),
        ["kit ÷ naive without mutation, pull request", f"{middle['pull'] / middle['naive']:.2f}"],
    ]
    figures = {
        "pull_request_vs_naive": middle["pull"] / whole,
        "default_branch_vs_naive": middle["branch"] / whole,
        "pull_request_vs_tuned": statistics.median(
            ours / theirs for ours, theirs in zip(times["one"], times["tuned"], strict=True)
        ),
        "overhead_share": statistics.median(alone) / JOB_SECONDS,
        "critical_path_overhead_share": spent / JOB_SECONDS,
    }
    versions = f"act {cold[0].data['act']}, stand-ins for actions, {rounds} round{'s' if rounds > 1 else ''}"
    report("Pipeline", tables=[table(["what", "median"], rows)], figures=figures, versions=versions, options=options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
