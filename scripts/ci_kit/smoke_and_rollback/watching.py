"""The watch over Prometheus, with labelled traffic where the specification wants it."""

from __future__ import annotations

from collections.abc import Callable

from ci_kit.clock import Clock
from ci_kit.smoke_and_rollback.http_client import Client, Question
from ci_kit.smoke_and_rollback.judge import Verdict
from ci_kit.smoke_and_rollback.prometheus import Prometheus, read_counts
from ci_kit.smoke_and_rollback.spec import Metrics, Spec
from ci_kit.smoke_and_rollback.synthetic import traffic
from ci_kit.smoke_and_rollback.watch import Rules, watch


class Watcher:
    """Counts begin with `start`, which is called when the deploy command begins.

    `shares`: the release before goes on serving beside the new one, so that both can be compared.
    """

    def __init__(
        self,
        spec: Spec,
        metrics: Metrics,
        prometheus: Prometheus,
        target: Client,
        clock: Clock,
        say: Callable[[str], None],
        *,
        shares: bool,
        scrape_seconds: float,
    ) -> None:
        self._spec = spec
        self._metrics = metrics
        self._prometheus = prometheus
        self._target = target
        self._clock = clock
        self._say = say
        self._shares = shares
        self._scrape_seconds = scrape_seconds
        self._since = clock.now().timestamp()

    def start(self) -> None:
        """From now on every request counts."""
        self._since = self._clock.now().timestamp()

    def __call__(self, percent: int) -> Verdict:
        """Watch until the counts decide or the time is up."""
        spec, canary = self._spec, self._spec.canary
        rules = Rules(
            self._metrics.max_error_rate, self._scrape_seconds, canary.min_watch_seconds, canary.max_watch_seconds
        )
        questions = [
            Question(check.path, check.method, check.headers)
            for check in spec.checks
            if check.method == "GET" and not check.auth and not check.write_read
        ]
        label = spec.target.expect_version.equals
        with traffic(self._target, questions, canary.synthetic_rps, self._clock, label=label) as sent:
            watched = watch(
                lambda now: read_counts(
                    self._prometheus,
                    self._metrics,
                    self._since,
                    now,
                    with_baseline=self._shares and percent < 100 and self._metrics.baseline_requests is not None,
                    step=self._scrape_seconds,
                ),
                self._clock,
                rules,
            )
        self._say(
            f"Watched {percent} % for {watched.seconds:.0f} s in {watched.polls} polls"
            + (f", with {sent.requests} labelled requests." if sent.requests else ".")
        )
        return watched.verdict
