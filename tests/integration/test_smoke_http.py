"""The HTTP client of the smoke run against servers that misbehave: bounded time and memory, and a clear word."""

from __future__ import annotations

import gzip
import re
import resource
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from ci_kit.clock import SystemClock
from ci_kit.smoke_and_rollback.http_client import TIME_IS_UP, HttpClient, Question
from ci_kit.smoke_and_rollback.spec import Limits
from tooling.raw_server import Reply, always, answer, raw_server
from tooling.servers import absent

QUICK = Limits(request_seconds=0.6, retries=2, max_body_bytes=100_000)
TOKEN = {"Authorization": "Bearer very-secret-token"}


@contextmanager
def client(url: str, limits: Limits = QUICK, environ: dict[str, str] | None = None) -> Iterator[HttpClient]:
    made = HttpClient(url, limits, SystemClock(), environ=environ)
    try:
        yield made
    finally:
        made.close()


def drip(first: bytes, piece: bytes) -> Reply:
    """One piece every few milliseconds, for ever: no single read is ever late."""
    gone = threading.Event()

    def reply(connection: socket.socket, _: bytes) -> None:
        connection.sendall(first)
        while not gone.wait(0.02):
            connection.sendall(piece)

    return reply


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
        (b"HTTP/1.1 200 OK\r\n", b"X-B: b\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n", b"z"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"z"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nz\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Trailer: t\r\n"),
    ],
    ids=["status", "header", "headers", "continue", "body", "body-without-length", "chunks", "trailers"],
)
def test_a_server_that_drips_is_late(first: bytes, piece: bytes) -> None:
    with raw_server(drip(first, piece)) as server, client(server.url) as http:
        started = time.monotonic()
        found = http.ask(Question("/"))
        took = time.monotonic() - started
    assert found.status is None, found
    assert found.error.startswith(("no whole answer within 0.6 s", "the connection broke")), found.error
    assert found.retries == 0 or "broke" in found.error
    assert took < 3


def test_a_server_that_never_answers_is_late_and_not_asked_again() -> None:
    with raw_server(lambda *_: None) as server, client(server.url) as http:
        found = http.ask(Question("/"))
        assert found.error == "no whole answer within 0.6 s"
        assert found.retries == 0
        assert len(server.requests) == 1


def test_a_handshake_that_drips_is_late() -> None:
    """The server takes the connection and says a byte of TLS now and then."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = threading.Event()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                while not done.wait(0.02):
                    try:
                        connection.sendall(b"\x16")
                    except OSError:
                        return

        thread = threading.Thread(target=serve)
        thread.start()
        with client(f"https://127.0.0.1:{listener.getsockname()[1]}", replace(QUICK, retries=0)) as http:
            started = time.monotonic()
            found = http.ask(Question("/"))
            took = time.monotonic() - started
        done.set()
        thread.join()
    assert found.status is None
    assert found.error
    assert took < 3


@pytest.mark.parametrize("head", [b"Content-Length: 10737418240\r\n", b""], ids=["length", "no-length"])
def test_ten_gigabytes_are_not_read(head: bytes) -> None:
    sent = 0

    def reply(connection: socket.socket, _: bytes) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
        block = bytes(1 << 20)
        while sent < 10 << 30:
            connection.sendall(block)
            sent += len(block)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with raw_server(reply) as server, client(server.url) as http:
        found = http.ask(Question("/"))
    assert (found.status, found.cut, len(found.body)) == (200, True, QUICK.max_body_bytes)
    assert sent < 64 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def test_a_compressed_answer_is_not_unfolded() -> None:
    bomb = gzip.compress(bytes(50 << 20))
    assert len(bomb) < QUICK.max_body_bytes
    with raw_server(always(answer(bomb, "200 OK", "Content-Encoding: gzip"))) as server, client(server.url) as http:
        found = http.ask(Question("/"))
        assert found.body == bomb
        assert b"accept-encoding: identity" in server.requests[0].lower()


def test_no_redirect_is_followed_and_no_token_leaves_the_host() -> None:
    with raw_server(always(answer(b"stolen"))) as other:
        away = answer(b"", "302 Found", f"Location: {other.url}/steal?a=b")
        with raw_server(always(away)) as server, client(server.url) as http:
            found = http.ask(Question("/me", headers=TOKEN))
            assert found.status == 302
            assert len(server.requests) == 1
        assert other.requests == []


def test_a_redirect_loop_is_one_answer() -> None:
    with raw_server(always(answer(b"", "301 Moved", "Location: /"))) as server, client(server.url) as http:
        assert http.ask(Question("/")).status == 301
        assert len(server.requests) == 1


def test_cookies_are_not_kept() -> None:
    with raw_server(always(answer(b"{}", "200 OK", "Set-Cookie: session=1; Path=/"))) as server:
        with client(server.url) as http:
            http.ask(Question("/login", "POST", json={}))
            http.ask(Question("/me"))
        assert not any(b"cookie:" in head.lower() for head in server.requests)


def test_a_netrc_gives_no_one_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password something\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with raw_server(always(answer())) as server, client(server.url) as http:
        http.ask(Question("/me"))
        assert b"authorization" not in server.requests[0].lower()


@pytest.mark.parametrize("status", ["502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"])
def test_a_gateway_that_fails_once_is_asked_again(status: str) -> None:
    with raw_server(always(answer(b"", status), answer(b"{}"))) as server, client(server.url) as http:
        found = http.ask(Question("/"))
        assert (found.status, found.retries) == (200, 1)
        ids = [re.search(rb"x-request-id: (\w+)", head.lower()) for head in server.requests]
        assert len({each[1] for each in ids if each}) == 2


@pytest.mark.parametrize("status", ["500 Internal Server Error", "401 Unauthorized", "429 Too Many Requests", "404 No"])
def test_any_other_status_is_the_answer(status: str) -> None:
    with raw_server(always(answer(b"", status))) as server, client(server.url) as http:
        found = http.ask(Question("/"))
        assert (found.status, found.retries) == (int(status[:3]), 0)
        assert len(server.requests) == 1


def test_a_question_that_is_asked_once_is_not_asked_again() -> None:
    with raw_server(always(answer(b"", "503 No"))) as server, client(server.url) as http:
        assert http.ask(Question("/", once=True)).retries == 0
        assert len(server.requests) == 1


def test_a_refused_connection_is_tried_again_and_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with client(f"http://127.0.0.1:{port}") as http:
        found = http.ask(Question("/", headers=TOKEN))
    assert (found.status, found.retries, found.error) == (None, 2, "no connection: Connection refused")


def test_all_attempts_end_in_time() -> None:
    with raw_server(always(answer(b"", "503 No"))) as server, client(server.url, replace(QUICK, retries=5)) as http:
        started = time.monotonic()
        http.ask(Question("/"), within_seconds=0.4)
        assert time.monotonic() - started < 1.5
        assert http.ask(Question("/"), within_seconds=0).error == TIME_IS_UP


def test_a_fresh_question_makes_a_new_connection() -> None:
    with raw_server(always(answer())) as server, client(server.url) as http:
        for _ in range(3):
            http.ask(Question("/"))
        assert server.connections == 1
        for _ in range(3):
            http.ask(Question("/", fresh=True))
        assert server.connections == 4
        assert all(b"cache-control: no-cache" in head.lower() for head in server.requests)


@pytest.mark.parametrize(
    "reply",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"\x00\xff" * 500,
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n",
    ],
    ids=["ssh", "binary", "status", "headers"],
)
def test_what_is_not_http_is_told(reply: bytes) -> None:
    def serve(connection: socket.socket, _: bytes) -> None:
        connection.sendall(reply)
        connection.shutdown(socket.SHUT_RDWR)

    with raw_server(serve) as server, client(server.url) as http:
        found = http.ask(Question("/", headers=TOKEN))
    assert found.status is None
    assert found.error.startswith(("the connection broke", "no connection"))
    assert "secret" not in found.error


def test_a_header_that_cannot_be_sent_is_told_without_it() -> None:
    with raw_server(always(answer())) as server, client(server.url) as http:
        found = http.ask(Question("/", headers={"Authorization": "Bearer very-secret\r\nX: y"}))
        assert server.requests == []
    assert found.error == "the request cannot be sent (InvalidHeader)"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody trusts, with its key."""
    openssl = shutil.which("openssl") or absent("openssl is not installed; on Debian: apt-get install openssl")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", "key.pem", "-out", "certificate.pem"],
        cwd=folder, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return folder


def tls(folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


def test_a_certificate_that_nobody_trusts_is_refused(certificate: Path) -> None:
    with raw_server(always(answer()), tls(certificate)) as server, client(server.url) as http:
        found = http.ask(Question("/", headers=TOKEN))
        assert server.requests == []
    assert (found.status, found.retries) == (None, 0)
    assert found.error.startswith("TLS: the certificate is not trusted: self-signed certificate")


def test_a_certificate_that_the_environment_trusts_is_good(certificate: Path) -> None:
    trusted = {"SSL_CERT_FILE": str(certificate / "certificate.pem")}
    with raw_server(always(answer(b"{}")), tls(certificate)) as server, client(server.url, environ=trusted) as http:
        assert http.ask(Question("/")).status == 200


def test_a_body_that_drips_over_tls_is_late(certificate: Path) -> None:
    trusted = {"SSL_CERT_FILE": str(certificate / "certificate.pem")}
    reply = drip(b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n", b"z")
    with raw_server(reply, tls(certificate)) as server, client(server.url, environ=trusted) as http:
        started = time.monotonic()
        found = http.ask(Question("/"))
        assert time.monotonic() - started < 3
    assert found.error == "no whole answer within 0.6 s"
