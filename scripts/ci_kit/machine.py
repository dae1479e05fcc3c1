"""The machine that this runs on, as far as this process may use it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NO_LIMIT = 2**60  # control groups of version 1 write a number near 2**63 for "no limit"


@dataclass(frozen=True)
class Machine:
    """Cores and free memory. `memory_bytes` None: not known. `why` says what holds the cores back, if anything does."""

    cores: int
    memory_bytes: int | None = None
    why: str = ""


def cores() -> int:
    """The cores that this process may use."""
    return find_machine().cores


def find_machine(root: Path = Path("/")) -> Machine:
    """Reads affinity, the control groups (https://docs.kernel.org/admin-guide/cgroup-v2.html) and /proc below `root`."""
    whole = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else whole
    why = f"of {whole} cores this process may use {usable}" if usable < whole else ""
    quotas = [quota for folder in _groups(root, "cpu") if (quota := _quota(folder)) is not None]
    if quotas and min(quotas) < usable:
        usable = max(1, round(min(quotas)))
        why = f"the container may use {min(quotas):g} cores"
    free = [left for folder in _groups(root, "memory") if (left := _left(folder)) is not None]
    free += [available for available in [_available(root)] if available is not None]
    return Machine(usable, min(free, default=None), why)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's control group and those above it: the narrowest limit counts."""
    for line in _text(root / "proc" / "self" / "cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        base = root / "sys" / "fs" / "cgroup"
        if controllers:
            if controller not in controllers.split(","):
                continue
            base = base / controller  # a link to the joined name, such as cpu,cpuacct
        # Inside of a container the name may be that of the host, and only the base is there.
        folder = base / name.strip("/")
        yield from dict.fromkeys(one for one in (folder, *folder.parents, base) if one.is_relative_to(base))


def _quota(folder: Path) -> float | None:
    words = _text(folder / "cpu.max").split() or [
        _text(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")
    ]
    try:
        quota, period = (int(word) for word in words)
    except ValueError:  # "max", or nothing
        return None
    return quota / period if quota > 0 and period > 0 else None


def _left(folder: Path) -> int | None:
    for limit, used, cache in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        most, taken = _text(folder / limit).strip(), _text(folder / used).strip()
        if most.isdigit() and taken.isdigit() and int(most) < NO_LIMIT:
            statistics = dict(line.split(" ", 1) for line in _text(folder / "memory.stat").splitlines() if " " in line)
            given_back = int(statistics.get(cache, "0"))  # the kernel takes it back before it refuses memory
            return max(0, int(most) - max(0, int(taken) - given_back))
    return None


def _available(root: Path) -> int | None:
    for line in _text(root / "proc" / "meminfo").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
