"""Make the data of `spec` from a valid specification, with all defaults filled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ci_kit.inputs import duration, ratio
from ci_kit.smoke_and_rollback.rules import QUANTILES, samples_needed
from ci_kit.smoke_and_rollback.spec import (
    Auth,
    Canary,
    Check,
    Email,
    ExpectVersion,
    Grafana,
    Latency,
    Limits,
    Login,
    Metrics,
    Negative,
    Notify,
    Ready,
    RollbackSpec,
    Spec,
    Target,
)

_ROLLBACK_KEYS = {"strategy", "schema", "timeout"}
_BOTH = (Negative("none"), Negative("garbage"))


@dataclass(frozen=True)
class Given:
    """What is known beside the file's data; `baseline` are the selectors of the baseline, `lines` those of `rollback`."""

    file: str
    environment: str
    variables: Mapping[str, str] = field(repr=False)
    baseline: Mapping[str, str]
    lines: Mapping[str, int]


def build(data: Mapping[str, Any], given: Given, *, skipped: list[str], secrets: set[str]) -> Spec:
    """The specification of valid data. `skipped` and `secrets` are what is known of both so far."""
    skipped, secrets = list(skipped), set(secrets)
    auth = _auth(data.get("auth"), given, secrets)
    notify = _notify(data.get("notify") or {}, given, skipped, secrets)
    for what, reason in (data.get("without") or {}).items():
        skipped.append(f"Not checked, {what}: {reason}")
    return Spec(
        file=given.file,
        environment=given.environment,
        target=_target(data["target"]),
        checks=tuple(_check(check) for check in data["checks"]),
        limits=_limits(data),
        ready=_ready(data.get("ready")),
        auth=auth,
        metrics=_metrics(data.get("metrics"), given),
        canary=_canary(data.get("canary") or {}),
        rollback=_rollback(data.get("rollback"), given.lines),
        notify=notify,
        skipped=tuple(skipped),
        secrets=tuple(sorted(secrets)),
    )


def _seconds(data: Mapping[str, Any], key: str, default: float) -> float:
    return duration(data[key]) if key in data else default


def _limits(data: Mapping[str, Any]) -> Limits:
    default, request = Limits(), data.get("request") or {}
    return Limits(
        run_seconds=_seconds(data, "timeout", default.run_seconds),
        request_seconds=_seconds(request, "timeout", default.request_seconds),
        retries=int(request.get("retries", default.retries)),
        max_body_bytes=int(request.get("max-body", default.max_body_bytes)),
    )


def _target(data: Mapping[str, Any]) -> Target:
    expect = data["expect-version"]
    return Target(
        base_url=data["base-url"].rstrip("/"),
        expect_version=ExpectVersion(
            path=expect["path"],
            json=expect["json"],
            equals=expect["equals"],
            consecutive=int(expect.get("consecutive", ExpectVersion.consecutive)),
            timeout_seconds=_seconds(expect, "timeout", ExpectVersion.timeout_seconds),
        ),
        headers=dict(data.get("headers", {})),
    )


def _ready(data: Mapping[str, Any] | None) -> Ready | None:
    if data is None:
        return None
    return Ready(
        path=data["path"],
        status=int(data.get("status", Ready.status)),
        timeout_seconds=_seconds(data, "timeout", Ready.timeout_seconds),
        consecutive=int(data.get("consecutive", Ready.consecutive)),
    )


def _auth(data: Mapping[str, Any] | None, given: Given, secrets: set[str]) -> Auth | None:
    if data is None:
        return None
    token, login = data["token"], data.get("login")
    variable = token.get("variable") if isinstance(token, dict) else None
    value = given.variables.get(variable, "").strip() if variable else None
    if value:
        secrets.add(value)
    return Auth(
        login=None if login is None else _login(login),
        token_path=token if isinstance(token, str) else None,
        token=value,
        command=tuple(token.get("command", ())) if isinstance(token, dict) else (),
        command_seconds=_seconds(token, "timeout", Auth.command_seconds) if isinstance(token, dict) else 0.0,
        header=data.get("header", Auth.header),
        scheme=data.get("scheme", Auth.scheme),
    )


def _login(data: Mapping[str, Any]) -> Login:
    return Login(
        path=data["path"],
        method=data.get("method", Login.method),
        json=data.get("json"),
        form=data.get("form"),
        headers=dict(data.get("headers", {})),
        status=int(data.get("status", Login.status)),
    )


def _check(data: Mapping[str, Any]) -> Check:
    authenticated = data.get("auth", False)
    given = tuple(Negative(each["auth"], int(each["status"])) for each in data.get("negative", ()))
    return Check(
        name=data["name"],
        path=data["path"],
        method=data.get("method", Check.method),
        headers=dict(data.get("headers", {})),
        body=data.get("body"),
        auth=authenticated,
        status=int(data.get("status", Check.status)),
        json=tuple(data.get("json", {}).items()),
        latency=_latency(data["max-ms"]) if "max-ms" in data else None,
        negative=given or (_BOTH if authenticated else ()),
        write_read=data.get("write-read", False),
    )


def _latency(data: Mapping[str, Any]) -> Latency:
    limits = tuple((QUANTILES[key], data[key] / 1000) for key in QUANTILES if key in data)
    needed = samples_needed([quantile for quantile, _ in limits])
    return Latency(limits, int(data.get("samples", needed)))


def _metrics(data: Mapping[str, Any] | None, given: Given) -> Metrics | None:
    if data is None:
        return None
    server, rates, inconclusive = data["prometheus"], data["max-error-rate"], data.get("inconclusive", "hold")
    return Metrics(
        url=server["url"].rstrip("/"),
        requests=data["requests"],
        errors=data["errors"],
        max_error_rate=ratio(rates[given.environment] if isinstance(rates, dict) else rates),
        baseline_requests=given.baseline.get("requests"),
        baseline_errors=given.baseline.get("errors"),
        baseline_version=data.get("baseline-version"),
        require=server.get("require"),
        token=server.get("token"),
        retries=int(server.get("retries", Metrics.retries)),
        max_sample_age_seconds=_seconds(server, "max-sample-age", Metrics.max_sample_age_seconds),
        scrape_seconds=_seconds(server, "scrape-interval", Metrics.scrape_seconds),
        inconclusive=inconclusive.get(given.environment, "hold") if isinstance(inconclusive, dict) else inconclusive,
    )


def _canary(data: Mapping[str, Any]) -> Canary:
    default = Canary()
    return Canary(
        steps=tuple(map(int, data.get("steps", default.steps))),
        min_watch_seconds=_seconds(data, "min-watch", default.min_watch_seconds),
        max_watch_seconds=_seconds(data, "max-watch", default.max_watch_seconds),
        synthetic_rps=float(data.get("synthetic-rps", default.synthetic_rps)),
        headers=dict(data.get("headers", {})),
    )


def _rollback(data: Mapping[str, Any] | None, lines: Mapping[str, int]) -> RollbackSpec | None:
    if data is None:
        return None
    return RollbackSpec(
        strategy=data["strategy"],
        schema=data.get("schema", RollbackSpec.schema),
        timeout_seconds=_seconds(data, "timeout", RollbackSpec.timeout_seconds),
        options={key: value for key, value in data.items() if key not in _ROLLBACK_KEYS},
        lines=dict(lines),
    )


def _notify(data: Mapping[str, Any], given: Given, skipped: list[str], secrets: set[str]) -> Notify:
    def variable(name: str, channel: str) -> str | None:
        value = given.variables.get(name, "").strip()
        if not value:
            skipped.append(f"Nobody is told by {channel}: {name} is not set.")
            return None
        secrets.add(value)
        return value

    slack = data.get("slack", False)
    if slack is True:
        slack = variable("SLACK_WEBHOOK_URL", "slack")
    elif slack:
        secrets.add(slack)
    found = data.get("grafana")
    grafana: Mapping[str, Any] = {"url": found} if isinstance(found, str) else found or {}
    token = (grafana.get("token") or variable("GRAFANA_TOKEN", "grafana")) if grafana else None
    return Notify(
        slack=slack or None,
        email=_email(data["email"]) if "email" in data else None,
        github_issue=data.get("github-issue", False),
        github_deployment=data.get("github-deployment", False),
        grafana=Grafana(grafana["url"].rstrip("/"), token, grafana.get("dashboard", False)) if token else None,
    )


def _email(data: Mapping[str, Any]) -> Email:
    return Email(
        to=tuple(data["to"]),
        sender=data["from"],
        host=data["host"],
        port=int(data.get("port", Email.port)),
        security=data.get("security", Email.security),
        user=data.get("user"),
        password=data.get("password"),
    )
