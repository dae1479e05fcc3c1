"""haproxy's runtime socket (Management Guide, chapter 9.3): one command a connection, answered with text."""

from __future__ import annotations

import csv
import io
import socket
from dataclasses import dataclass

from ci_kit.errors import CallerMistake
from ci_kit.smoke_and_rollback.target_errors import TargetFailure

ANSWER_SECONDS = 5.0
ANSWER_LIMIT = 10_000_000
LARGEST_WEIGHT = 256
# Bits of srv_admin_state in `show servers state`: set by hand or by the configuration; by a tracked server or DNS.
MAINTENANCE = 0x01 | 0x02 | 0x04 | 0x20 | 0x40
DRAINING = 0x08 | 0x10


@dataclass(frozen=True)
class Server:
    """One server of a backend. `admin` is ready, drain or maint; `up` is what its health checks say; `sessions` now."""

    name: str
    weight: int
    admin: str
    up: bool
    sessions: int


class HaproxySocket:
    """`address`: a path, or `host:port`. Needs `stats socket … level admin`."""

    def __init__(self, address: str) -> None:
        self._address = address

    def servers(self, backend: str) -> dict[str, Server]:
        """The backend's servers by name; raises `TargetFailure`, `CallerMistake` for a backend that does not exist."""
        states = self.ask(f"show servers state {backend}")
        lines = [line for line in states.splitlines() if line.strip()]
        if len(lines) < 2 or not lines[1].startswith("# "):
            raise CallerMistake(
                f"haproxy has no backend {backend!r}: {states.strip()[:200]}", next_step="Correct rollback.backend."
            )
        columns = lines[1][2:].split()
        stats = {
            row["svname"]: row
            for row in csv.DictReader(io.StringIO(self.ask("show stat").removeprefix("# ")))
            if row["pxname"] == backend
        }
        found = {}
        for line in lines[2:]:
            row = dict(zip(columns, line.split(), strict=False))
            name, admin = row["srv_name"], int(row["srv_admin_state"])
            stat = stats.get(name, {})
            found[name] = Server(
                name,
                int(row["srv_uweight"]),
                "maint" if admin & MAINTENANCE else "drain" if admin & DRAINING else "ready",
                str(stat.get("status", "")).startswith(("UP", "no check")),
                int(stat.get("scur") or 0),
            )
        return found

    def set(self, backend: str, server: str, what: str) -> None:
        """`what`: `weight 10`, `state maint`."""
        self._tell(f"set server {backend}/{server} {what}")

    def shut_sessions(self, backend: str, server: str) -> None:
        """End whatever still talks to the server."""
        self._tell(f"shutdown sessions server {backend}/{server}")

    def ask(self, command: str) -> str:
        """The answer to one command; raises `TargetFailure`."""
        try:
            with self._connect() as connection:
                connection.settimeout(ANSWER_SECONDS)
                connection.sendall(f"{command}\n".encode())
                answer = b""
                while len(answer) < ANSWER_LIMIT and (chunk := connection.recv(65536)):
                    answer += chunk
        except OSError as error:
            raise TargetFailure(
                f"haproxy's socket {self._address} does not answer {command!r}: {error}.",
                next_step="Check that haproxy runs, and that this user may use its socket.",
            ) from error
        return answer.decode(errors="replace")

    def _tell(self, command: str) -> None:
        # A command that was obeyed is answered with an empty line.
        if said := self.ask(command).strip():
            raise TargetFailure(
                f"haproxy refused {command!r}: {said[:300]}",
                next_step="The socket needs `level admin`, and the backend a dynamic `balance` such as roundrobin.",
            )

    def _connect(self) -> socket.socket:
        host, colon, port = self._address.rpartition(":")
        try:
            if colon and port.isdigit():
                return socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS)
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(ANSWER_SECONDS)
            try:
                connection.connect(self._address)
            except OSError:
                connection.close()
                raise
        except OSError as error:
            raise TargetFailure(
                f"haproxy's socket {self._address} cannot be reached: {error}.",
                next_step="Check that haproxy runs, and that this user may use its socket.",
            ) from error
        return connection
