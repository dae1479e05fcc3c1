"""A Docker daemon of the tests' own: they remove every container and volume, so never the machine's."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

STARTING_SECONDS = 60


def _answers(address: str) -> bool:
    done = subprocess.run(
        ["docker", "--host", address, "version", "--format", "{{.Server.Version}}"],
        capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    return done.returncode == 0


@contextmanager
def docker_daemon(folder: Path) -> Iterator[str]:
    """The address of a daemon with an empty store in `folder`; skips with the reason where none can be started."""
    program = shutil.which("dockerd")
    if shutil.which("docker") is None or program is None:
        pytest.skip("there is no docker with dockerd; on Debian: apt-get install docker.io")
    if os.geteuid() != 0:
        pytest.skip("only root can start a Docker daemon of the tests' own")
    own = f"unix://{folder}/docker.sock"
    argv = [
        program, "--host", own, "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec",
        "--pidfile", f"{folder}/pid", "--bridge=none", "--iptables=false", "--storage-driver=vfs",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log, subprocess.Popen(argv, stdout=log, stderr=log) as daemon:
        try:
            for _ in range(STARTING_SECONDS * 10):
                if _answers(own):
                    break
                try:
                    daemon.wait(0.1)
                except subprocess.TimeoutExpired:
                    continue
                said = (folder / "log").read_text(errors="replace")
                pytest.skip(f"a Docker daemon cannot run here: {said.strip().splitlines()[-1]}")
            yield own
        finally:
            daemon.terminate()
            daemon.wait(STARTING_SECONDS)
            # The daemon leaves the network namespace of its containers mounted, and nobody could remove the folder.
            left = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if str(folder) in line]
            subprocess.run(["umount", *left], capture_output=True, timeout=30, check=False)
