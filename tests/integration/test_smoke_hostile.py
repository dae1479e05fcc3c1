"""A whole smoke run against a release that is good but for one hostile answer: a clear no, in bounded time and memory."""

from __future__ import annotations

import json
import resource
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from ci_kit.clock import SystemClock
from ci_kit.smoke_and_rollback.http_client import HttpClient
from ci_kit.smoke_and_rollback.smoke import run_smoke
from ci_kit.smoke_and_rollback.smoke_result import SmokeResult
from ci_kit.smoke_and_rollback.spec import Limits, Ready, Target
from tooling.raw_server import answer, raw_server
from unit.smoke_doubles import SPEC, TOKEN, no_command

Hostile = Callable[[socket.socket], None]
GOOD = {
    "/readyz": {"status": "ready"},
    "/version": {"git_sha": "abc"},
    "/login": {"access_token": TOKEN},
    "/me": {"user": "smoke"},
    "/healthz/db": {"db": "ok"},
}


def smoke(path: str, hostile: Hostile, limits: Limits | None = None) -> tuple[SmokeResult, list[bytes]]:
    def reply(connection: socket.socket, head: bytes) -> None:
        asked = head.split()[1].decode()
        if asked == path:
            hostile(connection)
        elif asked == "/me" and f"Bearer {TOKEN}".encode() not in head:
            connection.sendall(answer(b"{}", "401 Unauthorized"))
        else:
            connection.sendall(answer(json.dumps(GOOD[asked]).encode()))

    limits = limits or Limits(run_seconds=20.0, request_seconds=1.0, retries=1)
    clock = SystemClock()
    with raw_server(reply) as server:
        expect = replace(SPEC.target.expect_version, timeout_seconds=2.0)
        spec = replace(
            SPEC,
            target=Target(server.url, expect),
            ready=Ready("/readyz", timeout_seconds=2.0, consecutive=2),
            limits=limits,
        )
        client = HttpClient(server.url, limits, clock)
        try:
            return run_smoke(spec, client, clock, command=no_command, mask=lambda _: None), server.requests
        finally:
            client.close()


def says(data: bytes) -> Hostile:
    def hostile(connection: socket.socket) -> None:
        connection.sendall(data)

    return hostile


def endless(first: bytes, piece: bytes, pause_seconds: float) -> Hostile:
    """Goes on until the client has gone."""
    never = threading.Event()

    def hostile(connection: socket.socket) -> None:
        connection.sendall(first)
        while not never.wait(pause_seconds):
            connection.sendall(piece)

    return hostile


def whys(result: SmokeResult) -> dict[str, str]:
    return {check.name: check.why for check in result.failed}


def test_the_server_itself_is_good() -> None:
    result, _ = smoke("", says(b""))
    assert result.ok, result.why


@pytest.mark.parametrize(
    ("hostile", "why"),
    [
        (says(answer(b'{"db": "ok"')), "the answer is not JSON"),
        (says(answer(b"[" * 500_000)), "the answer is not JSON"),
        (says(answer(b'{"db": "ok"}', "200 OK", "Content-Encoding: gzip")), "the answer is compressed"),
        (
            says(answer(b"", "302 Found", "Location: /healthz/db")),
            "found 302 to /healthz/db (redirects are not followed)",
        ),
        (
            endless(b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n", bytes(1 << 20), 0.0),
            "the answer is longer than the 1048576 bytes that are read",
        ),
        (endless(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"z", 0.02), "no whole answer within 1 s"),
        (endless(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n", 0.02), "no whole answer within 1 s"),
        (says(answer(b'{"db": {"db": "ok"}}')), '$.db: expected "ok", found a mapping of 1'),
    ],
    ids=["json", "nested", "compressed", "loop", "ten-gigabytes", "drip", "drip-headers", "other"],
)
def test_a_hostile_answer_to_a_check(hostile: Hostile, why: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    result, _ = smoke("/healthz/db", hostile)
    assert time.monotonic() - started < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10
    assert why in whys(result)["database"], whys(result)


def test_a_redirect_to_another_host_never_takes_the_token_along() -> None:
    with raw_server(lambda connection, _: connection.sendall(answer(b'{"user": "smoke"}'))) as other:
        away = answer(b"", "307 Temporary Redirect", f"Location: {other.url}/me?token=secret")
        result, asked = smoke("/me", says(away))
        assert other.requests == []
    assert f"Bearer {TOKEN}".encode() in b"".join(asked)
    assert "found 307 to http://127.0.0.1/me (redirects are not followed)" in whys(result)["me"]


def test_the_whole_run_ends_in_time_whatever_drips() -> None:
    """Readiness answers a byte now and then, and every try would take its full time."""
    started = time.monotonic()
    result, _ = smoke(
        "/readyz",
        endless(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"z", 0.02),
        Limits(run_seconds=1.5, request_seconds=30.0, retries=1),
    )
    assert time.monotonic() - started < 6
    assert "not 2 times in a row within 1.5 s" in whys(result)["ready"]
