"""The smoke specification: variables, what is refused and where, what is left out, and what becomes of it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ci_kit import schema
from ci_kit.errors import CallerMistake
from ci_kit.smoke_and_rollback.load import load_spec
from ci_kit.smoke_and_rollback.spec import (
    Canary,
    Check,
    Email,
    ExpectVersion,
    Latency,
    Limits,
    Login,
    Negative,
    Notify,
    Ready,
    RollbackSpec,
    Spec,
    Target,
)

VARIABLES = {
    "BASE_URL": "https://shop.test:8443/",
    "GITHUB_SHA": "abc1234",
    "SMOKE_USER": "smoke",
    "SMOKE_PASSWORD": "correct horse battery",
    "PROMETHEUS_URL": "http://prometheus.test:9090",
    "GRAFANA_URL": "https://grafana.test",
}
GOOD = """\
version: 1
target:
  base-url: ${BASE_URL}
  expect-version: {path: /version, json: $.git_sha, equals: "${GITHUB_SHA}"}
ready: {path: /readyz, timeout: 30s}
auth:
  login: {path: /login, json: {user: "${SMOKE_USER}", password: "${SMOKE_PASSWORD}"}}
  token: $.access_token
checks:
  - {name: me, path: /me, auth: true, json: {$.user: "${SMOKE_USER}"}, max-ms: {p95: 300, p50: 100}}
  - {name: database, path: /healthz/db, json: {$.db: ok}, write-read: true}
"""
METRICS = """\
metrics:
  prometheus: {url: "${PROMETHEUS_URL}", require: 'up{job="app"}'}
  requests: 'http_requests_total{version="${VERSION}"}'
  errors: 'http_requests_total{version="${VERSION}",status=~"5.."}'
  baseline-version: ${PREVIOUS_VERSION}
  max-error-rate: {staging: 1%, production: 0.1%}
  inconclusive: {production: rollback}
"""


def load(tmp_path: Path, text: str, variables: Mapping[str, str] = VARIABLES, env_name: str = "production") -> Spec:
    path = tmp_path / "smoke.yml"
    path.write_text(text)
    return load_spec(path, variables, env_name=env_name, shown="smoke.yml")


def refused(tmp_path: Path, text: str, variables: Mapping[str, str] = VARIABLES) -> CallerMistake:
    with pytest.raises(CallerMistake) as caught:
        load(tmp_path, text, variables)
    return caught.value


def test_variables_and_defaults(tmp_path: Path) -> None:
    spec = load(tmp_path, GOOD)
    assert spec.target.base_url == "https://shop.test:8443"
    assert spec.target.expect_version.equals == "abc1234"
    assert spec.target.expect_version.consecutive == 5
    assert spec.ready is not None
    assert (spec.ready.timeout_seconds, spec.ready.consecutive) == (30.0, 3)
    me, database = spec.checks
    assert me.json == (("$.user", "smoke"),)
    assert me.negative == (Negative("none", 401), Negative("garbage", 401))
    assert me.latency == Latency(((0.5, 0.1), (0.95, 0.3)), samples=20)
    assert database.negative == ()
    assert spec.metrics is None
    assert spec.canary.steps == (100,)
    assert spec.skipped == ()


def test_secrets_are_known_and_not_in_any_repr(tmp_path: Path) -> None:
    spec = load(tmp_path, GOOD)
    assert spec.secrets == ("correct horse battery",)
    assert "correct horse" not in repr(spec)


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_variable_that_is_not_set_is_an_error_with_its_line(tmp_path: Path, value: str | None) -> None:
    variables = {name: text for name, text in VARIABLES.items() if name != "SMOKE_USER"}
    error = refused(tmp_path, GOOD, variables if value is None else {**variables, "SMOKE_USER": value})
    assert (error.file, error.line, error.exit) == ("smoke.yml", 7, 2)
    assert error.message.startswith("auth.login.json.user: the variable SMOKE_USER is not set, or is empty.")
    assert "\nsmoke.yml:10: checks[0].json.$.user: the variable SMOKE_USER" in error.message


def test_a_value_is_never_read_as_yaml(tmp_path: Path) -> None:
    spec = load(tmp_path, GOOD, {**VARIABLES, "SMOKE_USER": "a, role: admin}\nchecks: []"})
    assert spec.auth is not None
    assert spec.auth.login is not None
    assert spec.auth.login.json["user"] == "a, role: admin}\nchecks: []"
    assert len(spec.checks) == 2


def test_two_dollars_stand_for_the_characters_themselves(tmp_path: Path) -> None:
    spec = load(tmp_path, GOOD.replace("$.db: ok", '$.db: "$${ok}"'))
    assert spec.checks[1].json == (("$.db", "${ok}"),)


def test_an_unquoted_variable_within_braces_says_what_to_do(tmp_path: Path) -> None:
    error = refused(tmp_path, GOOD.replace('user: "${SMOKE_USER}", pass', "user: ${SMOKE_USER}, pass"))
    assert error.line == 7
    assert '{user: "${SMOKE_USER}"}' in error.next_step


def test_metrics_for_the_environment_and_the_baseline(tmp_path: Path) -> None:
    spec = load(tmp_path, GOOD + METRICS, {**VARIABLES, "PREVIOUS_VERSION": "old99"})
    assert spec.metrics is not None
    assert spec.metrics.requests == 'http_requests_total{version="abc1234"}'
    assert spec.metrics.baseline_errors == 'http_requests_total{version="old99",status=~"5.."}'
    assert spec.metrics.max_error_rate == pytest.approx(0.001)
    assert spec.metrics.inconclusive == "rollback"
    staging = load(tmp_path, GOOD + METRICS, env_name="staging")
    assert staging.metrics is not None
    assert staging.metrics.max_error_rate == pytest.approx(0.01)
    assert staging.metrics.inconclusive == "hold"
    assert staging.metrics.baseline_requests is None
    assert staging.skipped == (
        "There is no baseline to compare with: PREVIOUS_VERSION, for metrics.baseline-version, is not set.",
    )


def test_without_prometheus_there_is_no_watch_and_it_is_said(tmp_path: Path) -> None:
    variables = {name: value for name, value in VARIABLES.items() if name != "PROMETHEUS_URL"}
    spec = load(tmp_path, GOOD + METRICS, variables)
    assert spec.metrics is None
    assert spec.skipped == ("The error rate is not watched: PROMETHEUS_URL, for metrics.prometheus.url, is not set.",)


def test_another_missing_variable_of_the_watch_is_an_error(tmp_path: Path) -> None:
    error = refused(tmp_path, GOOD + METRICS.replace('{version="${VERSION}"}', '{version="${VERSOIN}"}'))
    assert error.line == 14
    assert "VERSOIN is not set" in error.message


def test_a_value_cannot_change_a_query(tmp_path: Path) -> None:
    error = refused(tmp_path, GOOD + METRICS, {**VARIABLES, "GITHUB_SHA": 'a"} or vector(0) #'})
    assert "metrics.requests: the value of VERSION has a quote" in error.message


def test_a_channel_whose_variable_is_not_set_is_left_out_and_said(tmp_path: Path) -> None:
    spec = load(tmp_path, GOOD + 'notify: {slack: true, github-issue: true, grafana: "${GRAFANA_URL}"}\n')
    assert spec.notify.slack is None
    assert spec.notify.grafana is None
    assert spec.notify.github_issue
    assert spec.skipped == (
        "Nobody is told by slack: SLACK_WEBHOOK_URL is not set.",
        "Nobody is told by grafana: GRAFANA_TOKEN is not set.",
    )
    mail = "notify: {email: {to: [a@shop.test], from: b@shop.test, host: smtp.test, password: '${SMTP_PASSWORD}'}}\n"
    assert load(tmp_path, GOOD + mail).skipped == ("Nobody is told by email: SMTP_PASSWORD is not set.",)


def test_channels(tmp_path: Path) -> None:
    more = {"SLACK_WEBHOOK_URL": "https://hooks.test/abcdef", "GRAFANA_TOKEN": "graf-token"}
    spec = load(tmp_path, GOOD + 'notify: {slack: true, grafana: "${GRAFANA_URL}"}\n', {**VARIABLES, **more})
    assert spec.notify.slack == "https://hooks.test/abcdef"
    assert spec.notify.grafana is not None
    assert (spec.notify.grafana.url, spec.notify.grafana.token) == ("https://grafana.test", "graf-token")
    assert {"https://hooks.test/abcdef", "graf-token"} <= set(spec.secrets)
    assert "graf-token" not in repr(spec)


def test_a_strategy_gets_its_own_keys_with_their_lines(tmp_path: Path) -> None:
    spec = load(tmp_path, GOOD + "rollback:\n  strategy: kubernetes\n  timeout: 40s\n  resource: deployment/web\n")
    assert spec.rollback is not None
    assert (spec.rollback.strategy, spec.rollback.schema, spec.rollback.timeout_seconds) == (
        "kubernetes",
        "compatible",
        40.0,
    )
    assert spec.rollback.options == {"resource": "deployment/web"}
    assert spec.rollback.lines["resource"] == 15


def test_tokens_from_a_variable_or_a_command(tmp_path: Path) -> None:
    login = GOOD[GOOD.index("  login:") : GOOD.index("checks:")]
    spec = load(
        tmp_path, GOOD.replace(login, "  token: {variable: SMOKE_TOKEN}\n"), {**VARIABLES, "SMOKE_TOKEN": "t0k"}
    )
    assert spec.auth is not None
    assert spec.auth.token == "t0k"
    assert "t0k" in spec.secrets
    spec = load(tmp_path, GOOD.replace(login, "  token: {command: [make, token], timeout: 5s}\n"))
    assert spec.auth is not None
    assert (spec.auth.command, spec.auth.command_seconds) == (("make", "token"), 5.0)
    error = refused(tmp_path, GOOD.replace(login, "  token: {variable: SMOKE_TOKEN}\n"))
    assert error.message.startswith("auth.token.variable: the variable SMOKE_TOKEN is not set")
    assert error.line == 7


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("path: /healthz/db,", "path: /healthz/db, status: 401,", 11, "checks[1].status: expected a status from 200"),
        ("path: /healthz/db,", "path: /healthz/db, status: 2xx,", 11, "checks[1].status: expected a status from 200"),
        ("$.git_sha", '"$.git_sha["', 4, "is no JSONPath (RFC 9535)"),
        ("path: /me", "path: //evil.test/me", 10, "expected a path on the target"),
        ("path: /me", "path: https://evil.test/me", 10, "expected a path on the target"),
        ("auth: true, ", "", 6, "auth: no check uses it"),
        ("write-read: true", "write-read: false", 9, "no check has `write-read: true`"),
        ("json: {$.db: ok}, ", "", 11, "a status alone proves no database"),
        (", max-ms: {p95: 300, p50: 100}", "", 9, "no check has `max-ms`"),
        ("p50: 100}", "samples: 19}", 10, "expected at least 20"),
        ("p50: 100}", "p99: 100}", 10, "a higher percentile has a lower limit"),
        ("{p95: 300, p50: 100}", "{samples: 20}", 10, "expected one of p50"),
        ("name: database", "name: me", 11, "the check 'me' stands twice"),
        ("auth: true,", "auth: true, negative: [{auth: none, status: 401}],", 10, "{auth: garbage} is missing"),
        ("auth: true,", "auth: true, negative: [{auth: none, status: 500}],", 10, "status: expected one of"),
        ("write-read: true", "write-read: true, negative: [{auth: none, status: 401}]", 11, "only for a check with"),
        ("auth: true,", "auth: true, method: POST,", 10, "would send POST many times"),
        ("timeout: 30s", "timeout: 0s", 5, "expected more than 0"),
        ("timeout: 30s", "timeot: 30s", 5, "did you mean 'timeout'?"),
        ("${BASE_URL}", "https://user:pw@shop.test", 3, "an address with a user in it"),
        ("${BASE_URL}", "https://api.example.com", 3, "a placeholder stands here"),
        ("${BASE_URL}", "<your url>", 3, "expected an address"),
        ('"${SMOKE_PASSWORD}"', "hunter2hunter2", 7, "a secret stands in the file"),
        ('"${SMOKE_USER}", password', "changeme, password", 7, "a placeholder stands here"),
        ("${BASE_URL}", "${BASE URL}", 3, "names no variable"),
        ("  token: $.access_token", "  token: {variable: BASE_URL}", 7, "leave `login` out"),
    ],
)
def test_what_is_refused_and_where(tmp_path: Path, old: str, new: str, line: int, message: str) -> None:
    assert old in GOOD
    error = refused(tmp_path, GOOD.replace(old, new, 1))
    assert message in error.message, error.message
    assert error.line == line, error.message


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("canary: {steps: [50, 10, 100]}\n", "expected rising percentages, the last 100"),
        ("canary: {steps: [10, 50]}\n", "expected rising percentages, the last 100"),
        ("canary: {min-watch: 30m}\n", "longer than `max-watch`"),
        (
            METRICS.replace("production: 0.1%", "prodution: 0.1%"),
            "environment 'production' (did you mean 'prodution'?)",
        ),
        (METRICS.replace("0.1%", "0%"), "expected more than 0% and less than 100%"),
        ("without: {latency: nobody waits for it}\n", "a check has `max-ms`; leave this out"),
        ("notify: {slack: https://hooks.example.com/x}\n", "a placeholder stands here"),
    ],
)
def test_more_that_is_refused(tmp_path: Path, more: str, message: str) -> None:
    assert message in refused(tmp_path, GOOD + more).message


def test_a_secret_is_in_no_message(tmp_path: Path) -> None:
    error = refused(tmp_path, GOOD.replace("timeout: 30s", 'timeout: "${SMOKE_PASSWORD}"'))
    assert "expected a duration" in error.message
    assert "correct horse" not in str(error)


def test_what_is_not_checked_needs_a_reason_and_is_said(tmp_path: Path) -> None:
    text = GOOD.replace(", write-read: true", "") + "without: {database: it keeps nothing}\n"
    assert load(tmp_path, text).skipped == ("Not checked, database: it keeps nothing",)
    assert "without.database" in refused(tmp_path, text.replace("it keeps nothing", "no")).message


def test_an_environments_name_is_checked(tmp_path: Path) -> None:
    with pytest.raises(CallerMistake, match="input environment"):
        load(tmp_path, GOOD, env_name="Prod!")


BLOCKS: list[tuple[str, type[Any], dict[str, str], set[str]]] = [
    ("request", Limits, {"timeout": "request_seconds", "max-body": "max_body_bytes"}, {"run_seconds"}),
    ("target", Target, {}, set()),
    ("target.expect-version", ExpectVersion, {"timeout": "timeout_seconds"}, set()),
    ("ready", Ready, {"timeout": "timeout_seconds"}, set()),
    ("canary", Canary, {"min-watch": "min_watch_seconds", "max-watch": "max_watch_seconds"}, set()),
    ("rollback", RollbackSpec, {"timeout": "timeout_seconds"}, {"options", "lines"}),
    ("notify", Notify, {}, set()),
    ("notify.email", Email, {"from": "sender"}, set()),
    ("$defs.login", Login, {}, set()),
    ("$defs.check", Check, {"max-ms": "latency"}, set()),
]


@pytest.mark.parametrize(
    ("place", "cls", "renamed", "more"), BLOCKS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_key_becomes_a_field(place: str, cls: type[Any], renamed: dict[str, str], more: set[str]) -> None:
    node: Any = schema.load("smoke")
    for part in place.split("."):
        node = node[part] if part in node else node["$defs" if part in node.get("$defs", {}) else "properties"][part]
    keys = {renamed.get(key, key.replace("-", "_")) for key in node["properties"]}
    assert keys == {field.name for field in dataclasses.fields(cls)} - more


def test_the_example_of_the_documentation_is_valid(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    (example,) = re.findall(r"```yaml\n(version: 1\n.*?)```", (root / "docs" / "smoke.md").read_text(), re.DOTALL)
    assert [check.name for check in load(tmp_path, example).checks] == ["me", "database"]
    shipped = (root / "examples" / "auth-service" / ".github" / "ci-kit-smoke.yml").read_text(encoding="utf-8")
    assert load(tmp_path, shipped, env_name="staging").metrics is not None
