"""Local servers in the place of service containers, for host mode."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ci_kit.act.services import Service
from ci_kit.errors import InfrastructureFailure

READY_SECONDS = 30.0


@dataclass
class Servers:
    """The servers of one run."""

    folder: Path
    locks: Path
    say: Callable[[str], None] = print
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    held: list[IO[bytes]] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    def start(self, services: Iterable[Service], environ: Mapping[str, str], limit_seconds: float) -> None:
        """Start each distinct service; what is not installed is listed in `absent`.

        A port that another run of this user holds is waited for. Raises `InfrastructureFailure` for a port that something
        else holds, for one that stays held, and for a server that does not come up.
        """
        deadline = time.monotonic() + limit_seconds
        # By port, so that two runs with the same services never wait for each other.
        for service in sorted(dict.fromkeys(services), key=lambda each: each.port):
            commands = _commands(service, self.folder / f"{service.kind}-{service.port}", environ)
            if commands is None:
                self.absent.append(f"{service.image} (no local server for it is installed)")
                continue
            self._hold(service.port, deadline)
            if not _free(service.port):
                raise InfrastructureFailure(
                    f"port {service.port} is in use, so {service.kind} cannot be started for {service.image}.",
                    next_step="Stop what listens there, or run with --services none to use it.",
                )
            self._start(service, commands, environ)

    def _hold(self, port: int, deadline: float) -> None:
        self.locks.mkdir(parents=True, exist_ok=True)
        lock = (self.locks / f"port-{port}.lock").open("wb")
        self.held.append(lock)
        waiting = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise InfrastructureFailure(
                        f"another run holds port {port} for a service.", next_step="Wait for that run, then try again."
                    ) from None
                if not waiting:
                    self.say(f"waiting for another run's service on port {port}")
                    waiting = True
                time.sleep(0.1)
            else:
                return

    def _start(self, service: Service, commands: Sequence[Sequence[str]], environ: Mapping[str, str]) -> None:
        home = self.folder / f"{service.kind}-{service.port}"
        home.mkdir(parents=True, exist_ok=True)
        log = home / "log"
        env = dict(environ) | dict(service.env)
        for command in commands[:-1]:
            done = subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, timeout=60, check=False)
            if done.returncode:
                raise _failed(service, done.stdout + done.stderr)
        with log.open("wb") as target:
            child = subprocess.Popen(
                list(commands[-1]), cwd=home, env=env, stdin=subprocess.DEVNULL, stdout=target,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self.running.append(child)
        deadline = time.monotonic() + READY_SECONDS
        while _free(service.port):
            if child.poll() is not None or time.monotonic() > deadline:
                raise _failed(service, log.read_text(errors="replace")[-2000:])
            time.sleep(0.05)
        self.started.append(f"{service.image} as {Path(commands[-1][0]).name} on 127.0.0.1:{service.port}")

    def stop(self) -> None:
        """End every server that was started."""
        # One that has ended is reaped by the question, and its number may be another process's by now.
        self.running = [child for child in self.running if child.poll() is None]
        for child in self.running:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGTERM)
        for child in self.running:
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        self.running.clear()
        for lock in self.held:
            lock.close()
        self.held.clear()


def _commands(service: Service, home: Path, environ: Mapping[str, str]) -> list[list[str]] | None:
    path = environ.get("PATH")
    if service.kind in {"redis", "valkey"}:
        program = shutil.which("redis-server", path=path) or shutil.which("valkey-server", path=path)
        options = ["--port", str(service.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(home)]
        return [[program, *options]] if program else None
    if service.kind == "postgres" and os.geteuid() != 0:  # postgres refuses to run as root
        initdb, server = _postgres("initdb", path), _postgres("postgres", path)
        if not initdb or not server:
            return None
        env = dict(service.env)
        user = env.get("POSTGRES_USER", "postgres")
        data, socket_folder = str(home / "data"), str(home)
        return [
            [initdb, "-D", data, "-U", user, "--auth=trust", "-E", "UTF8"],
            [server, "-D", data, "-p", str(service.port), "-h", "127.0.0.1", "-k", socket_folder],
        ]
    return None


def _postgres(name: str, path: str | None) -> str | None:
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name, path=path) or (str(installed[-1]) if installed else None)


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _failed(service: Service, log: str) -> InfrastructureFailure:
    return InfrastructureFailure(
        f"the local server for {service.image} did not start: {log.strip()[-500:]}.", next_step="Its message says why."
    )
