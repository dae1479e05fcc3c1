"""The smoke specification as data. `load.load_spec` makes it; `schemas/smoke.json` describes the file.

Seconds are floats, rates are 0 to 1. Whatever may hold a secret is kept out of `repr`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Inconclusive = Literal["warn", "hold", "rollback"]


@dataclass(frozen=True)
class ExpectVersion:
    """The answering release must say `equals` at `json` of `path`, `consecutive` times, each on a new connection.

    Within `timeout_seconds`: until all of the old release is gone, it may answer in between.
    """

    path: str
    json: str
    equals: str
    consecutive: int = 5
    timeout_seconds: float = 30.0


@dataclass(frozen=True)
class Target:
    """Where the release answers; `base_url` has no slash at its end."""

    base_url: str
    expect_version: ExpectVersion
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Limits:
    """What bounds the run and each of its requests. A retry follows only a connection error, 502, 503 or 504."""

    run_seconds: float = 300.0
    request_seconds: float = 10.0
    retries: int = 2
    max_body_bytes: int = 1_048_576


@dataclass(frozen=True)
class Ready:
    """What is waited for: `status` at `path`, so often in a row, within the time."""

    path: str
    status: int = 200
    timeout_seconds: float = 120.0
    consecutive: int = 3


@dataclass(frozen=True)
class Login:
    """The request that answers with a token; at most one of `json` and `form` is there."""

    path: str
    method: str = "POST"
    json: Any = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    status: int = 200


@dataclass(frozen=True)
class Auth:
    """Where the token is: `token_path` of the login's answer, else `token` itself, else the output of `command`."""

    login: Login | None = None
    token_path: str | None = None
    token: str | None = field(default=None, repr=False)
    command: tuple[str, ...] = field(default=(), repr=False)
    command_seconds: float = 30.0
    header: str = "Authorization"
    scheme: str = "Bearer"


@dataclass(frozen=True)
class Negative:
    """The same request with no token, or a garbage one, must be refused with exactly `status`."""

    auth: Literal["none", "garbage"]
    status: int = 401


@dataclass(frozen=True)
class Latency:
    """`limits`: pairs of a quantile (0 to 1) and the most seconds, over `samples` requests."""

    limits: tuple[tuple[float, float], ...]
    samples: int


@dataclass(frozen=True)
class Check:
    """One question. `json`: pairs of a JSONPath, which must lead to exactly one value, and that value."""

    name: str
    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Any = field(default=None, repr=False)
    auth: bool = False
    status: int = 200
    json: tuple[tuple[str, Any], ...] = field(default=(), repr=False)
    latency: Latency | None = None
    negative: tuple[Negative, ...] = ()
    write_read: bool = False


@dataclass(frozen=True)
class Metrics:
    """What Prometheus is asked. The selectors name the new version; those of the baseline are None without one."""

    url: str
    requests: str
    errors: str
    max_error_rate: float
    baseline_requests: str | None = None
    baseline_errors: str | None = None
    baseline_version: str | None = None
    require: str | None = None
    token: str | None = field(default=None, repr=False)
    retries: int = 5
    max_sample_age_seconds: float = 60.0
    scrape_seconds: float = 15.0
    inconclusive: Inconclusive = "hold"


@dataclass(frozen=True)
class Canary:
    """Percent of the traffic by step, rising to 100, and how long each is watched. `headers` lead to the new release."""

    steps: tuple[int, ...] = (100,)
    min_watch_seconds: float = 60.0
    max_watch_seconds: float = 900.0
    synthetic_rps: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class RollbackSpec:
    """`options` are the strategy's own keys as the file has them, `lines` their lines (1-based); it refuses unknown ones."""

    strategy: str
    schema: Literal["compatible", "breaking"] = "compatible"
    timeout_seconds: float = 60.0
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    lines: Mapping[str, int] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Email:
    """A message by SMTP."""

    to: tuple[str, ...]
    sender: str
    host: str
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Grafana:
    """An annotation, and with `dashboard` the dashboard too."""

    url: str
    token: str = field(repr=False)
    dashboard: bool = False


@dataclass(frozen=True)
class Notify:
    """Who is told. None or false: that channel is not wanted, or its variable is not set (then `Spec.skipped` says so)."""

    slack: str | None = field(default=None, repr=False)
    email: Email | None = None
    github_issue: bool = False
    github_deployment: bool = False
    grafana: Grafana | None = None


@dataclass(frozen=True)
class Spec:
    """The whole specification for one environment.

    `skipped` are sentences on optional parts that were left out, and on what is deliberately not checked. `secrets` are
    values that must be masked before anything is said, and never be shown.
    """

    file: str
    environment: str
    target: Target
    checks: tuple[Check, ...]
    limits: Limits = Limits()
    ready: Ready | None = None
    auth: Auth | None = None
    metrics: Metrics | None = None
    canary: Canary = Canary()
    rollback: RollbackSpec | None = None
    notify: Notify = Notify()
    skipped: tuple[str, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)
