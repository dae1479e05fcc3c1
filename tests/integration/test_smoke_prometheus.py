"""The watch on a real Prometheus: newborn series, restarts, targets that are gone, queries that cannot work."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ci_kit.clock import SystemClock
from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.smoke_and_rollback.counts import Counts
from ci_kit.smoke_and_rollback.preflight import preflight
from ci_kit.smoke_and_rollback.prometheus import Prometheus, Reading, Unknown, prometheus_client, read_counts
from ci_kit.smoke_and_rollback.spec import Metrics
from ci_kit.smoke_and_rollback.watch import Rules, watch
from tooling.servers import require_server, running

SCRAPE_SECONDS = 0.2
PATIENCE_SECONDS = 60.0


def free_port() -> int:
    with closing(socket.socket()) as link:
        link.bind(("127.0.0.1", 0))
        port: int = link.getsockname()[1]
        return port


class Service:
    """What Prometheus scrapes: counters by version and status."""

    def __init__(self) -> None:
        self.counters: dict[tuple[str, str], int] = {}
        self.answering = True
        self._scraped = threading.Condition()
        self._scrapes = 0
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200 if service.answering else 500)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(service.text().encode())
                with service._scraped:
                    service._scrapes += 1
                    service._scraped.notify_all()

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def text(self) -> str:
        lines = [f'http_requests_total{{version="{v}",status="{s}"}} {n}' for (v, s), n in self.counters.copy().items()]
        return "\n".join(["# TYPE http_requests_total counter", *lines, ""])

    def scraped(self, times: int = 2) -> None:
        """Wait until what is there now has been scraped; the scrape before the last is surely stored."""
        with self._scraped:
            goal = self._scrapes + times
            assert self._scraped.wait_for(lambda: self._scrapes >= goal, PATIENCE_SECONDS)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Service]]:
    program, folder, port = require_server("prometheus"), tmp_path_factory.mktemp("prometheus"), free_port()
    service = Service()
    (folder / "prometheus.yml").write_text(
        f"global: {{scrape_interval: {int(SCRAPE_SECONDS * 1000)}ms, scrape_timeout: 100ms}}\n"
        "scrape_configs:\n"
        f"  - {{job_name: app, static_configs: [{{targets: ['127.0.0.1:{service.server.server_port}']}}]}}\n"
    )
    argv = [
        program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}", "--log.level=error",
    ]  # fmt: skip
    with running(argv, f"http://127.0.0.1:{port}/-/ready"):
        yield f"http://127.0.0.1:{port}", service
    service.server.shutdown()
    service.server.server_close()


@pytest.fixture
def service(server: tuple[str, Service]) -> Service:
    """With two versions of its own, so that no test sees another's series."""
    found = server[1]
    found.answering = True
    found.counters.clear()
    return found


@pytest.fixture
def metrics(server: tuple[str, Service], request: pytest.FixtureRequest) -> Metrics:
    new, old = f"new-{request.node.name}", f"old-{request.node.name}"
    return Metrics(
        server[0],
        f'http_requests_total{{version="{new}"}}',
        f'http_requests_total{{version="{new}",status=~"5.."}}',
        0.01,
        baseline_requests=f'http_requests_total{{version="{old}"}}',
        baseline_errors=f'http_requests_total{{version="{old}",status=~"5.."}}',
        baseline_version=old,
        require='up{job="app"}',
        retries=0,
    )


class Asking:
    """The reader on the real server, with the versions of the test."""

    def __init__(self, metrics: Metrics, service: Service) -> None:
        self.metrics, self.service = metrics, service
        self.prometheus = Prometheus(prometheus_client(metrics, SystemClock(), {}))
        self.new, self.old = metrics.requests.split('"')[1], (metrics.baseline_requests or "").split('"')[1]

    def preflight(self, **changed: str | None) -> float:
        metrics = replace(self.metrics, **changed)  # type: ignore[arg-type]
        return preflight(self.prometheus, metrics, file="smoke.yml", version=self.new, now=time.time())

    def read(self, since: float, *, with_baseline: bool = False) -> Reading | Unknown:
        return read_counts(
            self.prometheus, self.metrics, since, time.time(), with_baseline=with_baseline, step=SCRAPE_SECONDS
        )

    def until(
        self, since: float, wanted: Callable[[Reading | Unknown], bool], *, with_baseline: bool = False
    ) -> Reading | Unknown:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not wanted(found := self.read(since, with_baseline=with_baseline)):
            assert time.monotonic() < deadline, found
            self.service.scraped(1)
        return found


@pytest.fixture
def asking(metrics: Metrics, service: Service) -> Asking:
    return Asking(metrics, service)


def counted(counts: Counts) -> Callable[[Reading | Unknown], bool]:
    return lambda found: isinstance(found, Reading) and found.canary == counts


def test_a_newborn_series_is_counted_whole_where_its_rate_says_nothing(asking: Asking) -> None:
    """230 requests, 30 of them failed, before the first scrape of the new release."""
    asking.service.counters[(asking.old, "200")] = 5000
    asking.service.scraped()
    since = time.time()
    asking.service.counters.update({(asking.new, "200"): 200, (asking.new, "503"): 30})
    asking.until(since, counted(Counts(230, 30)))
    asking.service.scraped()
    window = f"[{time.time() - since:.0f}s]"
    rate = asking.prometheus.query(f"sum(rate({asking.metrics.errors}{window}))", time.time())
    assert [value for one in rate for _, value in one.samples] == [0.0]


def test_restarts_several_series_and_what_was_before_the_deployment(asking: Asking) -> None:
    counters = asking.service.counters
    counters.update({(asking.new, "200"): 1000, (asking.new, "500"): 50, (asking.old, "200"): 4000})
    asking.service.scraped(3)
    since = time.time()
    counters.update({(asking.new, "200"): 1100, (asking.new, "500"): 52})
    asking.until(since, counted(Counts(102, 2)))
    counters.update({(asking.new, "200"): 30, (asking.new, "500"): 1, (asking.new, "404"): 7})  # it started again
    asking.until(since, counted(Counts(140, 3)))
    counters[(asking.old, "200")] = 4900
    found = asking.until(since, lambda r: isinstance(r, Reading) and r.baseline == Counts(900, 0), with_baseline=True)
    assert isinstance(found, Reading)
    assert sum(each.baseline.requests for each in found.intervals) <= 900


def test_what_is_not_there_is_unknown(asking: Asking) -> None:
    since = time.time()
    found = asking.read(since)
    assert isinstance(found, Unknown)
    assert "no sample since the deployment" in found.why
    asking.service.counters[(asking.new, "200")] = 0
    asking.until(since, lambda r: isinstance(r, Unknown) and "has not grown" in r.why)


def test_a_target_that_is_gone_is_unknown_and_its_last_samples_get_old(asking: Asking) -> None:
    since = time.time()
    asking.service.counters[(asking.new, "200")] = 10
    asking.until(since, counted(Counts(10, 0)))
    asking.service.answering = False
    asking.until(since, lambda r: isinstance(r, Unknown) and "no target is being scraped" in r.why)
    asking.metrics = replace(asking.metrics, require=None, max_sample_age_seconds=3 * SCRAPE_SECONDS)
    asking.until(since, lambda r: isinstance(r, Unknown) and "s old, expected at most" in r.why)
    asking.service.answering = True
    asking.until(since, counted(Counts(10, 0)))


def test_the_preflight_accepts_what_can_be_watched_and_measures_the_scrapes(asking: Asking) -> None:
    asking.service.counters[(asking.old, "200")] = 3
    asking.service.scraped(4)
    assert asking.preflight() == pytest.approx(SCRAPE_SECONDS, rel=0.3)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"requests": "http_requests_total{"}, "metrics.requests: Prometheus refuses 'http_requests_total{': .*parse error"),
        ({"errors": "sum(http_requests_total)"}, "metrics.errors: .*no plain selector"),
        ({"errors": 'http_requests_total{code=~"5.."}'}, 'metrics.errors: Prometheus has no series http_requests_total{code!=""}'),
        ({"requests": "http_request_total"}, "metrics.requests: Prometheus has no series"),
        ({"require": 'up{job="web"}'}, "metrics.require: .*no target is known"),
        ({"require": "1"}, "it is a scalar"),
        ({"baseline_requests": 'http_requests_total{version="none"}'}, "metrics.baseline-version: .*no series"),
    ],
)  # fmt: skip
def test_the_preflight_refuses_what_can_never_be_watched(asking: Asking, changed: dict[str, str], says: str) -> None:
    asking.service.counters[(asking.old, "200")] = 3
    asking.service.scraped()
    with pytest.raises(CallerMistake, match=says):
        asking.preflight(**changed)


def test_a_prometheus_that_is_away_stops_a_deployment_but_is_only_unknown_in_a_watch(metrics: Metrics) -> None:
    away = replace(metrics, url=f"http://127.0.0.1:{free_port()}")
    prometheus = Prometheus(prometheus_client(away, SystemClock(), {}))
    with pytest.raises(InfrastructureFailure, match="cannot be reached: no connection"):
        preflight(prometheus, away, file="smoke.yml", version="2", now=time.time())
    found = read_counts(prometheus, away, time.time(), time.time(), with_baseline=False, step=1.0)
    assert isinstance(found, Unknown)
    assert "cannot be reached" in found.why


def test_a_release_of_which_everything_fails_is_found_within_two_scrapes(asking: Asking) -> None:
    """At a tenth of the traffic, beside a good baseline; all of one target, so that both are scraped together."""
    asking.service.counters[(asking.old, "200")] = 1000
    asking.service.scraped()
    since = time.time()
    before = asking.service._scrapes
    asking.service.counters.update({(asking.new, "500"): 4, (asking.old, "200"): 1036})
    rules = Rules(0.01, SCRAPE_SECONDS, min_seconds=PATIENCE_SECONDS, max_seconds=PATIENCE_SECONDS)
    found = watch(lambda _: asking.read(since, with_baseline=True), SystemClock(), rules)
    assert found.verdict.kind == "fail"
    assert "worse than the baseline" in found.verdict.why
    assert asking.service._scrapes - before <= 3  # the third may come while the answer is read


def test_a_good_release_passes(asking: Asking) -> None:
    asking.service.counters[(asking.old, "200")] = 1000
    asking.service.scraped()
    since = time.time()
    asking.service.counters[(asking.new, "200")] = 299
    rules = Rules(0.01, SCRAPE_SECONDS, min_seconds=2 * SCRAPE_SECONDS, max_seconds=PATIENCE_SECONDS)
    found = watch(lambda _: asking.read(since, with_baseline=True), SystemClock(), rules)
    assert (found.verdict.kind, found.verdict.more_requests) == ("pass", 0)
