"""Whether an answer is the right one: exactly this status, exactly these values. Pure decisions, told in a sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from ci_kit.smoke_and_rollback.answers import NotFound, read_json, same, shown, value_at
from ci_kit.smoke_and_rollback.http_client import Answer
from ci_kit.smoke_and_rollback.redact import redact
from ci_kit.smoke_and_rollback.spec import Latency, Spec


def wrong_answer(
    answer: Answer, status: int, expected: Sequence[tuple[str, Any]], secrets: tuple[str, ...]
) -> str | None:
    """What is wrong with an answer, or None. No part of a body is told but the values at the expected paths."""
    if (wrong := wrong_status(answer, status, secrets)) is not None:
        return wrong
    if not expected:
        return None
    try:
        data = read_json(answer.body)
        for path, value in expected:
            found = value_at(data, path)
            if not same(found, value):
                return f"{path}: expected {shown(value, path, secrets)}, found {shown(found, path, secrets)}"
    except NotFound as error:
        return redact(str(error), secrets)
    return None


def wrong_status(answer: Answer, status: int, secrets: tuple[str, ...]) -> str | None:
    """What is wrong with the answer itself."""
    if answer.status is None:
        return redact(answer.error, secrets)
    if answer.status != status:
        return f"expected the status {status}, found {answer.status}{_where_to(answer, secrets)}"
    if answer.cut:
        return f"the answer is longer than the {len(answer.body)} bytes that are read"
    if answer.body and answer.headers.get("content-encoding", "identity") != "identity":
        return "the answer is compressed, which was not asked for"
    return None


def from_a_cache(answer: Answer, seen: set[str]) -> str | None:
    """Why an answer is a stored one: it says its age, or carries the id of an earlier answer, which `seen` has."""
    age = answer.headers.get("age", "").strip()
    if age.isdigit() and int(age) > 0:
        return f"a cache answered: the answer is {int(age)} s old"
    identity = answer.headers.get("x-request-id", "")
    if identity and identity in seen:
        return "a cache answered: the answer carries the X-Request-Id of an earlier one"
    seen.add(identity)
    return None


def percentile(seconds: Sequence[float], quantile: float) -> float:
    """The nearest-rank percentile: the least value that at least this share of the values does not exceed."""
    return sorted(seconds)[_rank(len(seconds), quantile) - 1]


def too_slow(seconds: Sequence[float], latency: Latency) -> str | None:
    """Which percentile is above its limit, whatever the samples that are still to come say; None while none is."""
    for quantile, limit in latency.limits:
        over = [value for value in seconds if value > limit]
        if len(over) > latency.samples - _rank(latency.samples, quantile):
            name = f"p{quantile * 100:g}"
            least = min(over) * 1000
            return (
                f"{name} is above {limit * 1000:g} ms: {len(over)} of {len(seconds)} answers took "
                f"{least:.0f} ms or longer"
            )
    return None


def requests_needed(spec: Spec) -> int:
    """How many answers a run that was good must have had: fewer, and something was not really asked."""
    count = spec.target.expect_version.consecutive + (spec.ready.consecutive if spec.ready else 0)
    count += 1 if spec.auth is not None and spec.auth.login is not None else 0
    for check in spec.checks:
        count += 1 + len(check.negative) + (check.latency.samples if check.latency else 0)
    return count


def _rank(count: int, quantile: float) -> int:
    return max(1, math.ceil(round(count * quantile, 9)))


def _where_to(answer: Answer, secrets: tuple[str, ...]) -> str:
    """Where a redirect leads, without its query, which may hold anything."""
    target = answer.headers.get("location")
    if target is None or answer.status is None or not 300 <= answer.status < 400:
        return ""
    try:
        parts = urlsplit(target)
        place = redact(f"{parts.scheme}://{parts.hostname}{parts.path}" if parts.netloc else parts.path, secrets)
    except ValueError:
        place = "no address"
    return f" to {place[:100]} (redirects are not followed)"
