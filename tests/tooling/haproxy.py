"""A real haproxy before real HTTP servers, on loopback."""

from __future__ import annotations

import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tooling.servers import free_port, require_server, running


class Backend(ThreadingHTTPServer):
    """Answers every request with its name. `hold`, once set, lets requests for /slow end."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """haproxy's health checks close their connections early; that is no news."""

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.name = name
        self.hold = threading.Event()
        self.asked = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Backend

    def do_GET(self) -> None:
        if self.path == "/slow":
            self.server.asked.set()
            self.server.hold.wait(30)
        body = self.server.name.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Say nothing."""


@dataclass
class Proxy:
    """`url` answers from the backends, `socket` is the runtime socket."""

    url: str
    socket: Path
    backends: dict[str, Backend] = field(default_factory=dict)

    def ask(self, path: str = "/") -> str:
        """Who answers a request."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:  # noqa: S310 - loopback
            return str(answer.read().decode())

    def shares(self, requests: int = 100) -> dict[str, int]:
        """How many of some requests each backend answered."""
        found = dict.fromkeys(self.backends, 0)
        for _ in range(requests):
            found[self.ask()] += 1
        return {name: count for name, count in found.items() if count}


@contextmanager
def haproxy(
    folder: Path, names: Sequence[str], *, weights: Sequence[int], balance: str = "roundrobin"
) -> Iterator[Proxy]:
    """haproxy with one backend `app` and a server for each name."""
    program = require_server("haproxy")
    with ExitStack() as stack:
        proxy = Proxy(f"http://127.0.0.1:{free_port()}", folder / "admin.sock")
        lines = []
        for name, weight in zip(names, weights, strict=True):
            backend = Backend(name)
            stack.callback(backend.server_close)
            threading.Thread(target=backend.serve_forever, args=(0.05,), daemon=True).start()
            stack.callback(backend.shutdown)
            stack.callback(backend.hold.set)
            proxy.backends[name] = backend
            lines.append(
                f"  server {name} 127.0.0.1:{backend.server_port} weight {weight} check inter 100 fall 2 rise 1"
            )
        configuration = folder / "haproxy.cfg"
        configuration.write_text(
            "\n".join(
                [
                    "global",
                    f"  stats socket {proxy.socket} mode 600 level admin",
                    "defaults",
                    "  mode http",
                    "  timeout connect 5s",
                    "  timeout client 60s",
                    "  timeout server 60s",
                    "frontend web",
                    f"  bind {proxy.url.removeprefix('http://')}",
                    "  default_backend app",
                    "backend app",
                    f"  balance {balance}",
                    *lines,
                    "",
                ]
            )
        )
        stack.enter_context(running([program, "-db", "-f", str(configuration)], proxy.url))
        yield proxy


def until(holds: Callable[[], object], seconds: float = 20.0) -> None:
    """Poll a condition (a function); `TimeoutError` when it does not come true."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)
