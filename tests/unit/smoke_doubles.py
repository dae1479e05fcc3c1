"""A target, a clock and a specification for the unit tests of the smoke run."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from ci_kit.smoke_and_rollback.http_client import TIME_IS_UP, Answer, Question
from ci_kit.smoke_and_rollback.smoke import run_smoke
from ci_kit.smoke_and_rollback.smoke_result import SmokeResult
from ci_kit.smoke_and_rollback.spec import (
    Auth,
    Check,
    ExpectVersion,
    Latency,
    Limits,
    Login,
    Negative,
    Ready,
    Spec,
    Target,
)
from ci_kit.smoke_and_rollback.tokens import NoToken

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzbW9rZSJ9.c2lnbmF0dXJl"
SPEC = Spec(
    file="smoke.yml",
    environment="staging",
    target=Target("http://target.test", ExpectVersion("/version", "$.git_sha", "abc", consecutive=3)),
    ready=Ready("/readyz", timeout_seconds=20.0, consecutive=2),
    auth=Auth(
        login=Login("/login", json={"user": "smoke", "password": "secret-password"}), token_path="$.access_token"
    ),
    checks=(
        Check(
            "me",
            "/me",
            auth=True,
            json=(("$.user", "smoke"),),
            latency=Latency(((0.95, 0.3),), samples=20),
            negative=(Negative("none"), Negative("garbage")),
        ),
        Check("database", "/healthz/db", json=(("$.db", "ok"),), write_read=True),
    ),
    limits=Limits(run_seconds=60.0),
    secrets=("secret-password",),
)


@dataclass
class FakeClock:
    """Time that passes when somebody sleeps, or a test says so."""

    seconds: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        with self.lock:
            self.seconds += seconds


def told(data: Any, status: int = 200, **more: Any) -> Answer:  # noqa: ANN401 - any JSON
    return replace(Answer(status, json.dumps(data).encode(), seconds=0.01), **more)


@dataclass
class Service:
    """A good release. A path in `instead` is answered by its function, which gets the question and its number."""

    clock: FakeClock
    instead: dict[str, Callable[[Question, int], Answer]] = field(default_factory=dict)
    asked: list[Question] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, question: Question, *, within_seconds: float = 60.0) -> Answer:
        if within_seconds <= 0:
            return Answer(None, error=TIME_IS_UP)
        with self.lock:
            self.asked.append(question)
            count = sum(each.path == question.path for each in self.asked)
        answer = self.instead.get(question.path, self._good)(question, count)
        self.clock.sleep(answer.seconds)
        return answer

    def _good(self, question: Question, _: int) -> Answer:
        if question.path == "/me" and question.headers.get("Authorization") != f"Bearer {TOKEN}":
            return told({"error": "invalid-token"}, 401)
        return told(
            {
                "/readyz": {"status": "ready"},
                "/version": {"git_sha": "abc"},
                "/login": {"access_token": TOKEN},
                "/me": {"user": "smoke"},
                "/healthz/db": {"db": "ok"},
            }[question.path]
        )


def no_command(_argv: tuple[str, ...], _seconds: float) -> str:
    raise NoToken("there is no command")


def run(
    spec: Spec = SPEC,
    command: Callable[[tuple[str, ...], float], str] = no_command,
    **instead: Callable[[Question, int], Answer],
) -> tuple[SmokeResult, Service, list[str]]:
    """A run; `instead` are paths without their slash, `_` for a slash within."""
    clock = FakeClock()
    service = Service(clock, {f"/{path.replace('_', '/')}": answer for path, answer in instead.items()})
    masked: list[str] = []
    result = run_smoke(spec, service, clock, command=command, mask=masked.append)
    return result, service, masked
