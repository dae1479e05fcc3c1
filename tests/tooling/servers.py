"""Servers that some tests need: absent ones skip a test on a laptop and fail it in CI."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from ci_kit.test.ready import parse_address, probe

PACKAGES = {
    "redis-server": "redis-server",
    "haproxy": "haproxy",
    "prometheus": "prometheus",
    "docker": "docker.io",
    "initdb": "postgresql",
}
DEBIAN_POSTGRESQL = Path("/usr/lib/postgresql")
STARTING_SECONDS = 60


def require_server(program: str) -> str:
    """The path of `program`.

    Without it the calling test is skipped, with the reason and the install command, or fails when
    `CI_KIT_REQUIRE_SERVICES=1`.
    """
    found = shutil.which(program, path=os.pathsep.join((os.environ.get("PATH", os.defpath), *_debian_folders())))
    if found is None:
        absent(f"{program} is not installed; on Debian: apt-get install {PACKAGES.get(program, program)}")
    return found


def absent(reason: str) -> NoReturn:
    """Skip the calling test, or fail it where everything must be there (`CI_KIT_REQUIRE_SERVICES=1`)."""
    if os.environ.get("CI_KIT_REQUIRE_SERVICES") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _debian_folders() -> list[str]:
    """Debian keeps PostgreSQL's programs out of PATH, the newest release last."""
    return [str(folder) for folder in sorted(DEBIAN_POSTGRESQL.glob("*/bin"), reverse=True)]


def free_port() -> int:
    """A port of the loopback address that nothing listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@contextmanager
def running(argv: list[str], address: str, *, user: str | None = None) -> Iterator[None]:
    """A server from its first answer on, until the block ends."""
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, user=user, cwd="/") as server:
        try:
            _await(server, address)
            yield
        finally:
            server.terminate()


def _await(server: subprocess.Popen[bytes], address: str) -> None:
    why: str | None = ""
    for _ in range(STARTING_SECONDS * 20):
        why = probe(parse_address(address), 3.0)
        if why is None:
            return
        try:
            server.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        break
    server.kill()
    said = server.stdout.read().decode(errors="replace") if server.stdout else ""
    pytest.fail(f"{server.args!r} is not ready: {why}\n{said}", pytrace=False)


@contextmanager
def redis_server(port: int, *options: str) -> Iterator[str]:
    """Redis without persistence; its URL."""
    argv = [require_server("redis-server"), "--port", str(port), "--save", "", "--dir", tempfile.gettempdir(), *options]
    with running(argv, f"redis://127.0.0.1:{port}"):
        yield f"redis://127.0.0.1:{port}"


@contextmanager
def postgresql_server(port: int) -> Iterator[str]:
    """A new PostgreSQL with the database `postgres`; its URL. It refuses to be root, and runs as `postgres` then."""
    initdb = require_server("initdb")
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="ci-kit-postgresql-") as folder:
        if user:
            shutil.chown(folder, user)
        made = subprocess.run(
            [initdb, "-D", f"{folder}/data", "-A", "trust", "-U", "postgres", "--no-sync"],
            user=user, cwd="/", capture_output=True, text=True, timeout=STARTING_SECONDS, check=False,
        )  # fmt: skip
        if made.returncode:
            pytest.fail(f"initdb: {made.stdout}{made.stderr}", pytrace=False)
        argv = [str(Path(initdb).with_name("postgres")), "-D", f"{folder}/data", "-p", str(port), "-k", folder, "-F"]
        with running([*argv, "-c", "listen_addresses=127.0.0.1"], f"postgresql://127.0.0.1:{port}", user=user):
            yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
