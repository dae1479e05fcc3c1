"""Read counts from Prometheus: everything is tried before the deployment, and afterwards what is not known is said to be so.

Only raw samples are asked for, with a range selector at one moment; `samples` makes numbers of them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ci_kit.clock import Clock
from ci_kit.smoke_and_rollback.counts import Counts, Interval
from ci_kit.smoke_and_rollback.http_client import Client, HttpClient, Question
from ci_kit.smoke_and_rollback.samples import LOOK_BACK_SECONDS, Series, count_both, intervals
from ci_kit.smoke_and_rollback.spec import Limits, Metrics

QUERY_SECONDS = 10.0
ALL_ATTEMPTS_SECONDS = 30.0
MOST_BODY_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Unknown:
    """Nothing can be said, and why: never a pass, and by itself no rollback."""

    why: str


@dataclass(frozen=True)
class Reading:
    """The counts since the deployment. `baseline` None: it is not asked about; `intervals` are for `judge`."""

    canary: Counts
    baseline: Counts | Unknown | None = None
    intervals: tuple[Interval, ...] = ()


class Refused(Exception):
    """Prometheus does not accept the query. Not for a person: its caller says what follows."""


class Away(Exception):
    """Prometheus gave no usable answer. Not for a person either."""


def prometheus_client(metrics: Metrics, clock: Clock, environ: Mapping[str, str]) -> HttpClient:
    """A client of the Prometheus in the specification, with its token and its number of retries."""
    headers = {"Authorization": f"Bearer {metrics.token}"} if metrics.token else {}
    limits = Limits(request_seconds=QUERY_SECONDS, retries=metrics.retries, max_body_bytes=MOST_BODY_BYTES)
    return HttpClient(metrics.url, limits, clock, headers=headers, environ=environ)


class Prometheus:
    """One Prometheus. Times are Unix seconds."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def query(self, query: str, when: float) -> list[Series]:
        """The answer of an instant query, which may be a vector or a matrix; raises `Refused` and `Away`."""
        form = {"query": query, "time": f"{when:.3f}"}
        answer = self._client.ask(Question("/api/v1/query", "POST", form=form), within_seconds=ALL_ATTEMPTS_SECONDS)
        if answer.status is None:
            raise Away(f"Prometheus cannot be reached: {answer.error}")
        if answer.cut:
            raise Away(f"Prometheus answered with more than {MOST_BODY_BYTES >> 20} MiB")
        if answer.status not in {200, 400, 422}:
            raise Away(f"Prometheus answered with the status {answer.status}")
        try:
            data = json.loads(answer.body)
            if answer.status != 200:
                raise Refused(str(data["error"]))
            if data["data"]["resultType"] not in {"vector", "matrix"}:
                raise Refused(f"it is a {data['data']['resultType']}, expected a selector of series")
            return [_series(one) for one in data["data"]["result"]]
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise Away("what answers is no Prometheus, or its samples are no counters") from error

    def samples(self, selector: str, seconds: float, when: float) -> list[Series]:
        """The raw samples of the last `seconds` before `when`."""
        return self.query(f"{selector}[{math.ceil(seconds * 1000)}ms]", when)


def read_counts(
    prometheus: Prometheus, metrics: Metrics, since: float, now: float, *, with_baseline: bool, step: float
) -> Reading | Unknown:
    """The counts from `since` to `now`; `step` is the scrape interval, by which the comparison cuts time."""
    try:
        if metrics.require and not any(_value(one) > 0 for one in prometheus.query(metrics.require, now)):
            return Unknown(f"no target is being scraped: {metrics.require} is absent or 0")
        canary = _both(prometheus, metrics.requests, metrics.errors, since, now)
        why = _why_unknown(canary[0], metrics.requests, since, now, metrics.max_sample_age_seconds)
        if why:
            return Unknown(why)
        (counts,) = count_both(*canary, (since, now))
        if not counts.requests:
            return Unknown(f"no request since the deployment: {metrics.requests} has not grown")
        if not with_baseline or metrics.baseline_requests is None or metrics.baseline_errors is None:
            return Reading(counts)
        baseline = _both(prometheus, metrics.baseline_requests, metrics.baseline_errors, since, now)
        why = _why_unknown(baseline[0], metrics.baseline_requests, 0.0, now, metrics.max_sample_age_seconds)
        if why:
            return Reading(counts, Unknown(why))
        (others,) = count_both(*baseline, (since, now))
        return Reading(counts, others, intervals(canary, baseline, since, step))
    except Away as error:
        return Unknown(str(error))
    except Refused as error:
        return Unknown(f"Prometheus refuses a query that it took before the deployment: {error}")
    except ValueError:
        return Unknown("more errors than requests: the selector of the errors is not a part of that of the requests")


def _both(
    prometheus: Prometheus, requests: str, errors: str, since: float, now: float
) -> tuple[list[Series], list[Series]]:
    seconds = now - since + LOOK_BACK_SECONDS
    return prometheus.samples(requests, seconds, now), prometheus.samples(errors, seconds, now)


def _why_unknown(series: list[Series], selector: str, since: float, now: float, most_age: float) -> str:
    newest = max((one.newest for one in series), default=-math.inf)
    if newest <= since:
        return f"no sample since the deployment: {selector}"
    if now - newest > most_age:
        return f"the newest sample is {now - newest:.0f} s old, expected at most {most_age:.0f} s: {selector}"
    return ""


def _series(data: Mapping[str, Any]) -> Series:
    """Raises `KeyError` for native histograms, and `ValueError` for values that no counter has."""
    pairs = data["values"] if "values" in data else [data["value"]]
    samples = tuple((float(when), float(value)) for when, value in pairs)
    if any(not math.isfinite(value) or value < 0 for _, value in samples):
        raise ValueError("no counter")
    return Series(dict(data["metric"]), samples)


def _value(series: Series) -> float:
    return series.samples[-1][1]
