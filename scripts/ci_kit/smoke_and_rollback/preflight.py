"""Try every query before anything is deployed: what cannot be watched is said while it costs nothing."""

from __future__ import annotations

from dataclasses import dataclass

from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.smoke_and_rollback.prometheus import Away, Prometheus, Refused
from ci_kit.smoke_and_rollback.samples import LOOK_BACK_SECONDS, Series, scrape_interval
from ci_kit.smoke_and_rollback.selector import Selector, before_deployment, parse_selector
from ci_kit.smoke_and_rollback.spec import Metrics

EXAMPLE = """http_requests_total{version="1.2.3"}"""


def preflight(
    prometheus: Prometheus, metrics: Metrics, *, file: str, version: str, now: float, first: bool = False
) -> float:
    """Try the queries at `now` (Unix seconds); the seconds between two scrapes, as Prometheus' samples show them.

    `version` is the one that will be deployed and has no series yet. `first`: nothing runs yet, so no series are expected.
    Raises `CallerMistake` for a query that can never work, a series that is not there and a target that is not scraped,
    and `InfrastructureFailure` for a Prometheus that does not answer.
    """
    asking = _Asking(prometheus, metrics, file, now)
    requests, errors = asking.selector("requests", metrics.requests), asking.selector("errors", metrics.errors)
    old = (metrics.baseline_requests, metrics.baseline_errors)
    old_requests, old_errors = (None if text is None else asking.selector("baseline-version", text) for text in old)
    if metrics.require:
        targets = asking.query("require", metrics.require)
        if not first and not any(one.samples[-1][1] > 0 for one in targets):
            found = f"{len(targets)} targets are known, and all are down" if targets else "no target is known"
            raise asking.wrong("require", f"{metrics.require}: {found}.", "See the page Targets of Prometheus.")
    if first:
        return metrics.scrape_seconds
    series = asking.fresh("requests", before_deployment(requests, version, old_requests))
    asking.fresh("errors", before_deployment(errors, version, old_errors, requests))
    if old_requests is not None:
        asking.fresh("baseline-version", old_requests)
    return scrape_interval(series) or metrics.scrape_seconds


@dataclass(frozen=True)
class _Asking:
    """Questions whose errors name the key in the specification."""

    prometheus: Prometheus
    metrics: Metrics
    file: str
    now: float

    def query(self, key: str, query: str, seconds: float | None = None) -> list[Series]:
        try:
            if seconds is None:
                return self.prometheus.query(query, self.now)
            return self.prometheus.samples(query, seconds, self.now)
        except Refused as error:
            raise self.wrong(key, f"Prometheus refuses {query!r}: {error}.", "Correct the query.") from error
        except Away as error:
            raise InfrastructureFailure(
                f"metrics.{key} cannot be tried: {error}.",
                next_step="Nothing was deployed. Check the address, the token and the network, then run again.",
                file=self.file,
            ) from error

    def selector(self, key: str, query: str) -> Selector:
        self.query(key, query)
        found = parse_selector(query)
        if found is None:
            raise self.wrong(
                key,
                f"{query!r} is no plain selector, so single requests cannot be counted.",
                f"Expected a metric with labels, such as {EXAMPLE}, without rate(), sum() or a range.",
            )
        return found

    def fresh(self, key: str, selector: Selector) -> list[Series]:
        found = self.query(key, str(selector), LOOK_BACK_SECONDS)
        if not found:
            raise self.wrong(
                key,
                f"Prometheus has no series {selector}.",
                "Correct the name and the labels; a counter that is apart must be there with 0 before it first counts.",
            )
        age = self.now - max(one.newest for one in found)
        if age > self.metrics.max_sample_age_seconds:
            raise self.wrong(
                key,
                f"the newest sample of {selector} is {age:.0f} s old, "
                f"expected at most {self.metrics.max_sample_age_seconds:.0f} s.",
                "See whether Prometheus scrapes the service, or raise max-sample-age above its scrape interval.",
            )
        return found

    def wrong(self, key: str, found: str, next_step: str) -> CallerMistake:
        return CallerMistake(f"metrics.{key}: {found}", next_step=f"Nothing was deployed. {next_step}", file=self.file)
