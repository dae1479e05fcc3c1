from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from ci_kit.machine import find_machine

MEMINFO = {"proc/meminfo": "MemTotal: 16000000 kB\nMemAvailable:    8000000 kB\n"}
V2 = "0::/user.slice/job\n"
V1 = "4:cpu,cpuacct:/docker/abc\n5:memory:/docker/abc\n0::/\n"


def machine_of(root: Path, files: Mapping[str, str]) -> tuple[int, int | None, str]:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = find_machine(root)
    return found.cores, found.memory_bytes, found.why


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


@pytest.mark.parametrize(
    ("files", "cores", "why"),
    [
        ({}, 8, ""),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/user.slice/job/cpu.max": "max 100000\n"}, 8, ""),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/user.slice/job/cpu.max": "200000 100000\n"}, 2, "the container may use 2 cores"),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/user.slice/cpu.max": "150000 100000\n"}, 2, "1.5 cores"),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/cpu.max": "10000 100000\n"}, 1, "0.1 cores"),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/cpu.max": "nonsense\n"}, 8, ""),
        ({"proc/self/cgroup": V1, "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "300000\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, 3, "3 cores"),
        ({"proc/self/cgroup": V1, "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us": "100000\n"}, 8, ""),
    ],
)  # fmt: skip
def test_cores(tmp_path: Path, files: dict[str, str], cores: int, why: str) -> None:
    found = machine_of(tmp_path, files)
    assert found[0] == cores
    assert why in found[2]


def test_affinity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 5}, raising=False)
    assert machine_of(tmp_path, {}) == (2, None, "of 8 cores this process may use 2")


@pytest.mark.parametrize(
    ("files", "memory"),
    [
        ({}, None),
        (MEMINFO, 8000000 * 1024),
        (
            MEMINFO | {
                "proc/self/cgroup": V2, "sys/fs/cgroup/user.slice/job/memory.max": "1000000",
                "sys/fs/cgroup/user.slice/job/memory.current": "700000",
                "sys/fs/cgroup/user.slice/job/memory.stat": "anon 5\ninactive_file 100000\n",
            },
            400000,
        ),
        (MEMINFO | {"proc/self/cgroup": V2, "sys/fs/cgroup/memory.max": "max", "sys/fs/cgroup/memory.current": "7"}, 8000000 * 1024),
        (
            MEMINFO | {
                "proc/self/cgroup": V1, "sys/fs/cgroup/memory/memory.limit_in_bytes": "500",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "900",
            },
            0,
        ),
        (
            MEMINFO | {
                "proc/self/cgroup": V1, "sys/fs/cgroup/memory/memory.limit_in_bytes": str(2**63 - 4096),
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "900",
            },
            8000000 * 1024,
        ),
    ],
)  # fmt: skip
def test_memory(tmp_path: Path, files: dict[str, str], memory: int | None) -> None:
    assert machine_of(tmp_path, files)[1] == memory


def test_this_machine() -> None:
    found = find_machine()
    assert found.cores >= 1
    assert found.memory_bytes is None or found.memory_bytes > 0
