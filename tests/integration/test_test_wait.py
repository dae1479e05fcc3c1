"""`ci-kit test wait` and the services of a tier, against real servers."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ci_kit.test.ready import parse_address, probe
from integration.consumer import Consumer, Environment


def free_port() -> int:
    with closing(socket.socket()) as link:
        link.bind(("127.0.0.1", 0))
        port: int = link.getsockname()[1]
        return port


@contextmanager
def answering(*answers: bytes) -> Iterator[int]:
    """A server that answers its n-th connection with the n-th answer, the last one from then on; empty: it hangs up."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        left = list(answers)
        while True:
            try:
                link, _ = server.accept()
            except OSError:
                return
            with link:
                link.recv(4096)
                link.sendall(left.pop(0) if len(left) > 1 else left[0])

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


@contextmanager
def website(status: int) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health?x=1" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def here(tmp_path: Path) -> Consumer:
    return Consumer.make(tmp_path, Environment(Path("/nonexistent")), {})


def test_a_real_redis(here: Consumer, tmp_path: Path, require_server: Callable[[str], str]) -> None:
    port = free_port()
    argv = [
        require_server("redis-server"),
        "--port",
        str(port),
        "--requirepass",
        "pw",
        "--save",
        "",
        "--dir",
        str(tmp_path),
    ]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as server:
        try:
            ran = here.run(f"redis://user:top-secret@127.0.0.1:{port}/0", f"tcp://127.0.0.1:{port}", verb="wait")
        finally:
            server.terminate()
    assert ran.code == 0, ran.log
    assert f"redis://127.0.0.1:{port} is ready" in ran.log
    assert "top-secret" not in ran.log


def test_nothing_there(here: Consumer) -> None:
    port = free_port()
    ran = here.run("--wait-retries", "2", f"redis://:top-secret@127.0.0.1:{port}", verb="wait")
    assert ran.code == 3
    assert f"redis://127.0.0.1:{port} is not ready after 2 tries: Connection refused" in ran.log
    assert "top-secret" not in ran.log


@pytest.mark.parametrize("address", ["", "127.0.0.1:80", "ftp://h:1", "tcp://h", "redis://", "http://h:99999"])
def test_no_address(here: Consumer, address: str) -> None:
    ran = here.run(*([address] if address else []), verb="wait")
    assert ran.code == 2, ran.log


def test_a_service_that_needs_a_moment(here: Consumer) -> None:
    with answering(b"-LOADING Redis is loading the dataset in memory\r\n", b"", b"+PONG\r\n") as port:
        ran = here.run(f"redis://127.0.0.1:{port}", verb="wait")
    assert ran.code == 0, ran.log


def error(code: bytes) -> bytes:
    fields = b"SFATAL\0C" + code + b"\0Mmessage\0\0"
    return b"E" + (len(fields) + 4).to_bytes(4, "big") + fields


@pytest.mark.parametrize(
    ("scheme", "answer", "why"),
    [
        ("redis", b"+PONG\r\n", None),
        ("redis", b"-NOAUTH Authentication required.\r\n", None),
        ("redis", b"-LOADING x\r\n", "LOADING"),
        ("redis", b"HTTP/1.1 400 Bad Request\r\n", "HTTP"),
        ("redis", b"", "closed without an answer"),
        ("postgresql", b"R\0\0\0\x08\0\0\0\0", None),
        ("postgres", error(b"3D000"), None),
        ("postgresql", error(b"57P03"), "starting up"),
        ("postgresql", b"HTTP", "not PostgreSQL's protocol"),
        ("tcp", b"", None),
    ],
)
def test_protocols(scheme: str, answer: bytes, why: str | None) -> None:
    with answering(answer) as port:
        found = probe(parse_address(f"{scheme}://127.0.0.1:{port}"), 5.0)
    assert found is None if why is None else found is not None and why in found


@pytest.mark.parametrize(("status", "ready"), [(200, True), (204, True), (302, True), (404, False), (503, False)])
def test_http(status: int, *, ready: bool) -> None:
    with website(status) as port:
        found = probe(parse_address(f"http://127.0.0.1:{port}/health?x=1"), 5.0)
    assert (found is None) is ready
    assert ready or found == f"HTTP status {status}"


def test_a_service_that_never_answers() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        found = probe(parse_address(f"redis://127.0.0.1:{server.getsockname()[1]}"), 0.1)
    assert found is not None
    assert "no answer" in found


def test_a_tier_waits_for_its_services(tmp_path: Path) -> None:
    environment = Environment.make(tmp_path / "venv", ("pytest",))
    config = "tiers:\n  - name: one\n    services:\n      cache: {image: redis, ready: 'redis://127.0.0.1:%d'}\n"
    with answering(b"-LOADING\r\n", b"+PONG\r\n") as port:
        files = {".github/ci-kit.yml": config % port, "test_a.py": "def test_a():\n    pass\n"}
        ran = Consumer.make(tmp_path, environment, files).run("--coverage", "false")
    assert ran.code == 0, ran.log
    assert ran.log.index("is ready") < ran.log.index("test session starts")
