"""What every benchmark shares: fair timing, the machine's line, the Markdown table, the JSON file.

Needs only the standard library, so that a benchmark runs on any Python >= 3.11 before anything is installed.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = "ci-kit/benchmark/1"


@dataclass(frozen=True)
class Options:
    """`--json FILE` and `--quick`, which every benchmark has."""

    json: Path | None
    quick: bool


def read_options(description: str, *more: argparse.ArgumentParser) -> Options:
    """Read the command line of a benchmark; `more` are parsers (`add_help=False`) of its own options."""
    parser = argparse.ArgumentParser(description=description, parents=list(more))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    parser.add_argument("--quick", action="store_true", help="the same figures from less work, at most ten minutes")
    found = parser.parse_args()
    return Options(found.json, found.quick)


def seconds(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    expect: int = 0,
    timeout_seconds: float = 600.0,
) -> float:
    """The wall time of one command from start to end; raises `RuntimeError` with its output for another exit code."""
    command = [str(word) for word in argv]
    started = time.perf_counter()
    done = subprocess.run(
        command,
        env=None if env is None else dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout_seconds,
        check=False,
    )
    took = time.perf_counter() - started
    if done.returncode != expect:
        tail = done.stdout.decode(errors="replace")[-4000:]
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}, expected {expect}:\n{tail}")
    return took


def interleaved(
    contenders: Mapping[str, Callable[[], float]], *, rounds: int, warm_up: int = 1
) -> dict[str, list[float]]:
    """Measure all contenders in turn, `rounds` times, so that a machine that slows down slows all of them.

    Every other round goes backwards: none is always the one that follows the heaviest.
    """
    measured: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(-warm_up, rounds):
        order = list(contenders) if number % 2 == 0 else list(contenders)[::-1]
        for name in order:
            took = contenders[name]()
            if number >= 0:
                measured[name].append(took)
    return measured


def ratio(measured: Mapping[str, Sequence[float]], ours: str, peer: str) -> float:
    """Median of ours over median of the peer's."""
    return statistics.median(measured[ours]) / statistics.median(measured[peer])


def spread(values: Sequence[float], unit: str = "s", factor: float = 1.0) -> list[str]:
    """Median, least, most and count as table cells; `factor` turns seconds into `unit`."""
    shown = (statistics.median(values), min(values), max(values))
    return [*(f"{value * factor:.3g} {unit}" for value in shown), str(len(values))]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def machine() -> str:
    """Processor, cores, memory, system, Python and date in one line."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    date = dt.datetime.now(dt.UTC).date().isoformat()
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return f"{_processor()}, {cores} cores, {memory:.0f} GiB, {system}, Python {platform.python_version()}, {date}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def report(title: str, *, tables: Sequence[str], figures: Mapping[str, float], versions: str, options: Options) -> None:
    """Print the whole as Markdown and write the figures where `--json` says."""
    kind = "quick" if options.quick else "full"
    print(f"## {title}\n\n{machine()}; {versions}; {kind} run\n")
    print("\n\n".join([*tables, table(["figure", "value"], [[f"`{n}`", f"{v:.4g}"] for n, v in figures.items()])]))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        data = {"schema": SCHEMA, "figures": dict(figures)}
        options.json.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
