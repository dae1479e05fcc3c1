#!/usr/bin/env python3
"""What the launcher costs: a warm start against `python -c pass`, and a start on a machine that has never run it."""

from __future__ import annotations

import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from common import ROOT, interleaved, ratio, read_options, report, seconds, spread, table

KIT = ROOT / "scripts" / "ci-kit"
PYTHON = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
TRIVIAL = [str(KIT), "--version"]
# What a job's own starts wait for: help is read after the environment is there and the verb is imported.
PLAN = [[str(KIT), "pipeline", "plan", "--help"]]
GATE = [[str(KIT), "coverage-combine", "combine", "--help"], [str(KIT), "pipeline", "gate", "--help"]]


def environment(home: Path, *, uv: str | None) -> dict[str, str]:
    """An empty HOME and no settings but how this machine reaches its package index; uv on PATH, or on none."""
    (home / "tools").mkdir(parents=True)
    kept = {name: os.environ[name] for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "PIP_CERT") if name in os.environ}
    (home / "tools" / "python3").symlink_to(PYTHON)
    if uv:
        (home / "tools" / "uv").symlink_to(uv)
    return {**kept, "HOME": str(home), "PATH": f"{home / 'tools'}:/usr/bin:/bin"}


def cold(starts: list[list[str]], folder: Path, numbers: itertools.count[int], uv: str | None) -> Callable[[], float]:
    """A job's starts in a new home each time: no environment, and nothing in uv's or pip's cache."""

    def once() -> float:
        env = environment(folder / f"cold-{next(numbers)}", uv=uv)
        took = sum(seconds(argv, env=env) for argv in starts)
        shutil.rmtree(env["HOME"])
        return took

    return once


def version(argv: list[str], env: Mapping[str, str]) -> str:
    """The first two words that a tool says about itself."""
    done = subprocess.run(argv, env=dict(env), capture_output=True, text=True, timeout=60, check=True)
    return " ".join(done.stdout.split()[:2])


def main() -> None:
    """Measure and report."""
    options = read_options(__doc__ or "")
    warm_rounds, cold_rounds = (20, 3) if options.quick else (100, 9)
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    with tempfile.TemporaryDirectory(prefix="ci-kit-benchmark-") as name:
        folder = Path(name)
        env = environment(folder / "warm", uv=uv)
        warm = interleaved(
            {
                "warm start: `ci-kit --version`": lambda: seconds(TRIVIAL, env=env),
                "warm start: `ci-kit pipeline plan --help`": lambda: seconds(PLAN[0], env=env),
                "`python -c pass`": lambda: seconds([PYTHON, "-c", "pass"], env=env),
            },
            rounds=warm_rounds,
            warm_up=2,
        )
        numbers = itertools.count()
        colds = interleaved(
            {
                f"cold start of the job {job}, installed by {'uv' if tool else 'pip'}": cold(
                    starts, folder, numbers, tool
                )
                for tool in (None, uv)[: 2 if uv else 1]
                for job, starts in (("plan", PLAN), ("gate", GATE))
            },
            rounds=cold_rounds,
            warm_up=1,
        )
        versions = version([PYTHON, "-m", "pip", "--version"], env) + (
            f", {version([uv, '--version'], env)}" if uv else ""
        )
    rows = [[what, *spread(values, "ms", 1000)] for what, values in warm.items()]
    rows += [[what, *spread(values)] for what, values in colds.items()]
    added = statistics.median(warm["warm start: `ci-kit --version`"]) - statistics.median(warm["`python -c pass`"])
    rows.append(["a warm start adds", f"{added * 1000:.3g} ms", "", "", ""])
    report(
        "The launcher",
        tables=[table(["what", "median", "least", "most", "runs"], rows)],
        figures={
            "warm_start_vs_python": ratio(warm, "warm start: `ci-kit --version`", "`python -c pass`"),
            "cold_environment_seconds": statistics.median(colds["cold start of the job plan, installed by pip"]),
        },
        versions=versions,
        options=options,
    )


if __name__ == "__main__":
    main()
