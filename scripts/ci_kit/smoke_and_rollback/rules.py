"""What the schema of the smoke specification cannot say: what must be there, what excludes each other, placeholders."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from ci_kit.inputs import duration, ratio
from ci_kit.schema import Place, suggestion
from ci_kit.smoke_and_rollback.answers import wrong_path

Problem = tuple[Place, str]
QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
LEAST_SAMPLES = 20
_REPEATABLE = ("GET", "HEAD", "OPTIONS", "PUT")
_DURATIONS = {"timeout", "min-watch", "max-watch", "max-sample-age", "scrape-interval"}
# RFC 2606 reserves these names for documents; nothing real answers there.
_NO_HOST = re.compile(r"(^|[/@.])example\.(com|org|net|edu)\b|\.(example|invalid)\b", re.IGNORECASE)
_NO_VALUE = re.compile(
    r"^(<[^<>]*>|change[-_ ]?me.*|replace[-_ ]?me.*|your[-_ ].*|place[-_ ]?holder.*|x{3,}|todo|tbd|fixme|\.{3}|\*+)$",
    re.IGNORECASE,
)
_PASSWORD = re.compile(r"password|passwd|passphrase|(client_?)?secret|api_?key", re.IGNORECASE)
_LITERAL = re.compile(r"\$\{")


def samples_needed(quantiles: list[float]) -> int:
    """As few samples as leave one beyond the highest percentile, and at least 20."""
    return max(LEAST_SAMPLES, math.ceil(round(1 / (1 - max(quantiles)), 6)))


def contradictions(data: Mapping[str, Any], environment: str) -> Iterator[Problem]:
    """Every problem of a specification that its schema accepts."""
    yield from _values(data, ())
    yield from _target(data)
    yield from _auth(data)
    for index, check in enumerate(data["checks"]):
        yield from _check(check, ("checks", index), data)
    yield from _coverage(data)
    yield from _metrics(data.get("metrics"), environment)
    yield from _canary(data.get("canary") or {})


def passwords_in_the_file(data: object, place: Place = ()) -> Iterator[Problem]:
    """Secrets that stand in the file itself, of the data before variables are replaced."""
    if isinstance(data, dict):
        for key, value in data.items():
            here = (*place, key)
            plain = isinstance(value, str) and not _LITERAL.search(value) and value
            if plain and isinstance(key, str) and _PASSWORD.fullmatch(key) and place[:1] in {("auth",), ("notify",)}:
                yield here, "a secret stands in the file; write ${VARIABLE} and pass it as a secret"
            yield from passwords_in_the_file(value, here)
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from passwords_in_the_file(value, (*place, index))


def placeholders(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Values that nobody replaced. What is found is not shown, because it may stand where a secret does."""
    for part in ("target", "auth", "metrics", "notify", "rollback"):
        for place, text in _texts(data.get(part), (part,)):
            address = part != "auth" and ("://" in text or "email" in place)
            if _NO_VALUE.match(text.strip()) or (address and _NO_HOST.search(text)):
                yield place, "a placeholder stands here; give the real value"


def _texts(data: object, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _texts(value, (*place, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _texts(value, (*place, index))
    elif isinstance(data, str):
        yield place, data


def _values(data: object, place: Place) -> Iterator[Problem]:
    """Durations that are nothing, wherever they stand."""
    for here, text in _texts(data, place):
        if here[-1] in _DURATIONS and here[0] != "checks" and here[:2] != ("auth", "login") and not duration(text):
            yield here, "expected more than 0"


def _target(data: Mapping[str, Any]) -> Iterator[Problem]:
    target = data["target"]
    if "@" in target["base-url"].partition("://")[2].partition("/")[0]:
        yield ("target", "base-url"), "an address with a user in it; use `auth`"
    yield from _path(target["expect-version"]["json"], ("target", "expect-version", "json"))


def _path(path: str, place: Place) -> Iterator[Problem]:
    if wrong := wrong_path(path):
        yield place, f"{path!r} is no JSONPath (RFC 9535): {wrong}"


def _auth(data: Mapping[str, Any]) -> Iterator[Problem]:
    auth = data.get("auth")
    asked = any(check.get("auth") for check in data["checks"])
    if auth is None:
        return
    token, login = auth["token"], auth.get("login")
    if isinstance(token, str):
        yield from _path(token, ("auth", "token"))
        if login is None:
            yield ("auth", "token"), "a JSONPath needs the `login` whose answer it looks into"
    elif login is not None:
        yield ("auth", "login"), "the token comes from elsewhere; leave `login` out"
    if login is not None and "json" in login and "form" in login:
        yield ("auth", "login", "form"), "a request has one body: `json` or `form`"
    if not asked:
        yield ("auth",), "no check uses it; give one `auth: true`"
    header = auth.get("header", "Authorization").lower()
    places = [("target", "headers"), *(("checks", index, "headers") for index in range(len(data["checks"])))]
    for part, place in zip([data["target"], *data["checks"]], places, strict=True):
        if header in (name.lower() for name in part.get("headers", {})):
            yield place, f"the header {header} carries the token; without it in `headers`, both can be told apart"


def _check(check: Mapping[str, Any], place: Place, data: Mapping[str, Any]) -> Iterator[Problem]:
    name, method = check["name"], check.get("method", "GET")
    if [each["name"] for each in data["checks"]].index(name) != place[1]:
        yield (*place, "name"), f"the check {name!r} stands twice"
    for path in check.get("json", {}):
        yield from _path(path, (*place, "json", path))
    if method == "HEAD" and check.get("json"):
        yield (*place, "json"), "the answer to HEAD has no body"
    if check.get("auth") and data.get("auth") is None:
        yield (*place, "auth"), "there is no `auth` that gets a token"
    yield from _negative(check, (*place, "negative"))
    if check.get("write-read") and not check.get("json"):
        yield (*place, "write-read"), "say in `json` what the answer must say; a status alone proves no database"
    if "max-ms" in check:
        yield from _latency(check["max-ms"], (*place, "max-ms"))
        if method not in _REPEATABLE:
            yield (*place, "max-ms"), f"would send {method} many times; measure a request that may be repeated"


def _negative(check: Mapping[str, Any], place: Place) -> Iterator[Problem]:
    kinds = {each["auth"] for each in check.get("negative", ())}
    if kinds and not check.get("auth"):
        yield place, "only for a check with `auth: true`"
    elif len(kinds) == 1:
        (missing,) = {"none", "garbage"} - kinds
        yield place, f"{{auth: {missing}}} is missing: both must be refused"


def _latency(limits: Mapping[str, Any], place: Place) -> Iterator[Problem]:
    found = [(QUANTILES[key], limits[key]) for key in QUANTILES if key in limits]
    if not found:
        yield place, f"expected one of {', '.join(QUANTILES)}"
        return
    needed = math.ceil(round(1 / (1 - max(quantile for quantile, _ in found)), 6))
    if limits.get("samples", needed) < needed:
        yield (*place, "samples"), f"expected at least {needed}: with fewer there is no such percentile"
    if any(after < before for (_, before), (_, after) in pairwise(found)):
        yield place, "a higher percentile has a lower limit"


def _coverage(data: Mapping[str, Any]) -> Iterator[Problem]:
    """What every smoke run needs, or a reason why not."""
    checks, without = data["checks"], data.get("without") or {}
    wanted = {
        "auth": ("`auth: true`", any(check.get("auth") for check in checks)),
        "database": ("`write-read: true`", any(check.get("write-read") for check in checks)),
        "latency": ("`max-ms`", any("max-ms" in check for check in checks)),
    }
    for key, (what, there) in wanted.items():
        if there and key in without:
            yield ("without", key), f"a check has {what}; leave this out"
        elif not there and key not in without:
            yield ("checks",), f"no check has {what}; add one, or say in `without: {{{key}: …}}` why not"


def _metrics(metrics: Mapping[str, Any] | None, environment: str) -> Iterator[Problem]:
    if metrics is None:
        return
    rates = metrics["max-error-rate"]
    if isinstance(rates, dict) and environment not in rates:
        near = suggestion(environment, list(rates))
        yield ("metrics", "max-error-rate"), f"nothing for the environment {environment!r}{near}"
    for place, rate in _texts(rates, ("metrics", "max-error-rate")):
        if not 0 < ratio(rate) < 1:
            yield place, "expected more than 0% and less than 100%"


def _canary(canary: Mapping[str, Any]) -> Iterator[Problem]:
    steps = canary.get("steps", [100])
    if steps[-1] != 100 or any(after <= before for before, after in pairwise(steps)):
        yield ("canary", "steps"), "expected rising percentages, the last 100"
    least, most = (duration(canary.get(key, default)) for key, default in (("min-watch", "60s"), ("max-watch", "15m")))
    if least > most:
        yield ("canary", "min-watch"), "longer than `max-watch` (15m where it is not given)"
