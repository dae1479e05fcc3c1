"""All processes below one, whatever session or group they have moved to, and their end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 50
ROUND_SECONDS = 0.02
_PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>


@dataclass(frozen=True)
class Process:
    """One row of the process table. `started` tells two processes with the same pid apart."""

    pid: int
    parent: int
    started: str


def descendants(table: Iterable[Process], root: int) -> set[Process]:
    """Every process below `root`, `root` itself left out."""
    children: dict[int, list[Process]] = {}
    for process in table:
        children.setdefault(process.parent, []).append(process)
    found: set[Process] = set()
    waiting = [root]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found:
                found.add(child)
                waiting.append(child.pid)
    return found


def adopt_orphans() -> None:
    """On Linux, make orphans below this process its children; elsewhere the family is what was seen in time."""
    if sys.platform == "linux":
        with contextlib.suppress(ImportError, OSError, AttributeError):
            import ctypes  # noqa: PLC0415 - slow to load, and seldom needed

            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def running() -> list[Process]:
    """The machine's process table without zombies."""
    return _from_proc() if Path("/proc/self/stat").exists() else _from_ps()


def _from_proc() -> list[Process]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            # A process may end while the table is read.
            with contextlib.suppress(OSError):
                # The name, in parentheses, may hold anything; the fields behind it are those of proc(5).
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                if fields[0] not in {"Z", "X"}:
                    found.append(Process(int(entry.name), int(fields[1]), fields[19]))
    return found


def _from_ps() -> list[Process]:
    argv = ["ps", "-A", "-o", "pid=,ppid=,stat=,lstart="]
    try:
        output = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = (line.split(None, 3) for line in output.splitlines())
    return [Process(int(row[0]), int(row[1]), row[3]) for row in rows if len(row) == 4 and not row[2].startswith("Z")]


def kill_all(seen: Iterable[Process]) -> None:
    """Kill everything below this process, and of `seen` what still runs, until nothing is left."""
    for _ in range(ROUNDS):
        table = running()
        victims = descendants(table, os.getpid()) | set(seen) & set(table)
        if not victims:
            return
        for victim in victims:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(victim.pid, signal.SIGKILL)
        time.sleep(ROUND_SECONDS)
