"""What Prometheus is told, and the middleware that counts requests."""

from __future__ import annotations

import re
import time
import uuid

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Metrics:
    """One registry for each application, so that two in one process do not share counts."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        self._version = version
        self._requests = Counter(
            "http_requests",
            "Requests by method, route and status.",
            ("method", "path", "status", "version"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "Seconds from request to answer.",
            ("method", "path", "version"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._logins = Counter(
            "login_attempts", "Login attempts by outcome.", ("outcome",), registry=self.registry
        )
        self._fallbacks = Counter(
            "rate_limiter_fallbacks",
            "Attempts that were limited in memory because Redis was away.",
            registry=self.registry,
        )

    def request(self, method: str, path: str, status: int, seconds: float) -> None:
        known = method if method in METHODS else "OTHER"
        self._requests.labels(known, path, str(status), self._version).inc()
        self._seconds.labels(known, path, self._version).observe(seconds)

    def login(self, outcome: str) -> None:
        self._logins.labels(outcome).inc()

    def fallback(self) -> None:
        self._fallbacks.inc()

    def render(self) -> bytes:
        return generate_latest(self.registry)


def request_id(given: str | None) -> str:
    """The caller's id when it is harmless in a log line, else a new one."""
    if given is not None and REQUEST_ID.fullmatch(given):
        return given
    return uuid.uuid4().hex


class ObserveRequests:
    """Counts by the route's template, never by the raw path, which an attacker chooses."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500
        identity = request_id(Headers(scope=scope).get("x-request-id"))

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = identity
            await send(message)

        try:
            await self._app(scope, receive, observed_send)
        finally:
            path = getattr(scope.get("route"), "path", "unmatched")
            self._metrics.request(scope["method"], path, status, time.perf_counter() - started)
