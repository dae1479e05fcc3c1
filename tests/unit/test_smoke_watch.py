"""From raw samples to counts, from queries to what must exist before a deployment, and when a watch ends."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from ci_kit.clock import SystemClock
from ci_kit.errors import CallerMistake, InfrastructureFailure
from ci_kit.smoke_and_rollback.counts import Counts, Interval
from ci_kit.smoke_and_rollback.http_client import Answer, Question
from ci_kit.smoke_and_rollback.judge import Verdict
from ci_kit.smoke_and_rollback.preflight import preflight
from ci_kit.smoke_and_rollback.prometheus import Prometheus, Reading, Unknown, read_counts
from ci_kit.smoke_and_rollback.samples import Series, count, count_both, increases, intervals, scrape_interval
from ci_kit.smoke_and_rollback.selector import before_deployment, parse_selector
from ci_kit.smoke_and_rollback.spec import Metrics
from ci_kit.smoke_and_rollback.synthetic import LABEL, traffic
from ci_kit.smoke_and_rollback.watch import Rules, Watched, watch
from hypothesis import given
from hypothesis import strategies as st


def series(*values: float, at: float = 0.0, step: float = 10.0, **labels: str) -> Series:
    return Series(labels, tuple((at + number * step, value) for number, value in enumerate(values)))


@pytest.mark.parametrize(
    ("values", "since", "expected"),
    [
        ((5, 7, 9), 0.0, 4),  # the sample at the deployment is where it stood
        ((30, 230), -5.0, 230),  # born after the deployment: all of it
        ((5, 7, 2, 4), 0.0, 6),  # started again: 2 up to 7, then 2 and 2 more
        ((5, 7, 7), 10.0, 0),
        ((5,), 0.0, 0),
        ((), 0.0, 0),
        ((0, 3, 0, 0, 5), 10.0, 5),
    ],
)
def test_what_a_counter_counted_since_the_deployment(values: tuple[float, ...], since: float, expected: int) -> None:
    assert count([series(*values)], (since, 1000.0)) == [expected]


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=30),
    st.sets(st.integers(1, 29)),
    st.lists(st.integers(0, 320), min_size=2, max_size=6, unique=True),
)
def test_no_request_is_lost_or_counted_twice_by_restarts_and_edges(
    asked: list[int], restarts: set[int], edges: list[int]
) -> None:
    value, samples = 0, []
    for number, new in enumerate(asked):
        # A restart that nobody can see in the samples (more at once than before) is none of a counter's business.
        value = new if number in restarts and new < value else value + new
        samples.append((number * 10.0, float(value)))
    cuts = sorted(float(edge) for edge in edges)
    found = increases(samples, cuts)
    truth = [
        sum(new for number, new in enumerate(asked) if low < number * 10.0 <= high) for low, high in pairwise(cuts)
    ]
    assert found == truth


def test_errors_are_counted_up_to_the_scrape_that_the_requests_were_counted_to() -> None:
    """Between the two queries a target was scraped once more."""
    requests = [series(0, 10, 20, instance="a"), series(0, 10, instance="b")]
    errors = [series(0, 1, 2, instance="a"), series(0, 1, 20, instance="b")]
    assert count_both(requests, errors, (0.0, 100.0)) == [Counts(30, 3)]
    with pytest.raises(ValueError, match="errors <= requests"):
        count_both(requests, [series(0, 99, instance="a")], (0.0, 100.0))


def test_time_is_cut_where_the_baseline_was_scraped_and_the_canary_is_not_ahead_of_it() -> None:
    canary = [series(*range(0, 60, 10), at=5.0)], [series(0, 0, 0, 0, 10, 20, at=5.0)]
    baseline = [series(*range(0, 500, 100), at=0.0)], [series(*[0] * 5, at=0.0)]
    assert intervals(canary, baseline, 0.0, 10.0) == (
        *[Interval(Counts(0 if n == 0 else 10, 0), Counts(100, 0)) for n in range(4)],
    )  # fmt: skip
    later = [series(*range(0, 600, 100), at=0.0)], [series(*[0] * 6, at=0.0)]
    assert intervals(canary, later, 0.0, 10.0)[-1] == Interval(Counts(10, 10), Counts(100, 0))


def test_a_baseline_that_nobody_asks_is_no_longer_live_after_three_scrapes() -> None:
    canary = [series(*range(0, 70, 10))], [series(*[0] * 7)]
    idle = [series(0, 100, 200, 200, 200, 200, 200)], [series(*[0] * 7)]
    assert intervals(canary, idle, 0.0, 10.0)[-1] == Interval(Counts(40, 0), Counts(0, 0))
    shorter = [series(0, 100, 200, 300, 400, 400, 400)], [series(*[0] * 7)]
    assert intervals(canary, shorter, 0.0, 10.0)[-1] == Interval(Counts(10, 0), Counts(100, 0))
    resumed = [series(0, 100, 100, 100, 100, 100, 200)], [series(*[0] * 7)]
    assert intervals(canary, resumed, 0.0, 10.0)[-1] == Interval(Counts(50, 0), Counts(100, 0))
    assert intervals(canary, ([], []), 0.0, 10.0) == ()
    assert intervals(canary, idle, 60.0, 10.0) == ()


def test_a_target_that_is_gone_does_not_hold_the_comparison_back() -> None:
    canary = [series(*range(0, 70, 10))], [series(*[0] * 7)]
    gone = [series(*range(0, 700, 100), instance="a"), series(0, 5, instance="b")], [series(*[0] * 7)]
    assert len(intervals(canary, gone, 0.0, 10.0)) == 6


def test_the_scrape_interval_is_that_of_most_samples() -> None:
    assert scrape_interval([series(1, 2, 3, 4), series(1, 2, at=3.0, step=30.0)]) == 10.0
    assert scrape_interval([series(1)]) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("up", "up{}"),
        ('http_requests_total{version="1.2", status=~"5..",}', 'http_requests_total{version="1.2",status=~"5.."}'),
        ("{__name__=\"x\",a!='b'}", "{__name__=\"x\",a!='b'}"),
        ('x{a="b\\"},{c",d=`}`}', 'x{a="b\\"},{c",d=`}`}'),
        ('{"x.y", a="b"}', '{"x.y",a="b"}'),
    ],
)
def test_selectors_are_read(text: str, shown: str) -> None:
    assert str(parse_selector(text)) == shown


@pytest.mark.parametrize(
    "text", ["sum(x)", "rate(x[5m])", "x[5m]", "x offset 5m", "x{a=b}", "x / y", 'x{a="b" c="d"}', "", "{", "1"]
)  # fmt: skip
def test_what_is_no_plain_selector_is_told_apart(text: str) -> None:
    assert parse_selector(text) is None


def relaxed(text: str, version: str, baseline: str | None = None, of_all: str | None = None) -> str:
    found, other, whole = (None if each is None else parse_selector(each) for each in (text, baseline, of_all))
    assert found is not None
    return str(before_deployment(found, version, other, whole))


def test_what_must_exist_before_the_new_version_does() -> None:
    every, bad = 'http{job="a",version="v2"}', 'http{job="a",version="v2",status=~"5.."}'
    assert relaxed(every, "v2") == 'http{job="a",version!=""}'
    assert relaxed(bad, "v2", of_all=every) == 'http{job="a",version!="",status!=""}'
    assert relaxed(every, "other-name", 'http{job="a",version="v1"}') == 'http{job="a",version!=""}'
    assert relaxed('errors{job="b"}', "v2", of_all='http{job="a"}') == 'errors{job!=""}'


NOW = 1_000_000.0
METRICS = Metrics(
    "http://prometheus", 'r{v="2"}', 'r{v="2",s="5"}', 0.01,
    baseline_requests='r{v="1"}', baseline_errors='r{v="1",s="5"}', require="up",
)  # fmt: skip


class Double:
    """A Prometheus that answers by what the query says; whatever it does not know is empty."""

    def __init__(self, **answers: Answer | list[Series]) -> None:
        self.answers = {"up": [series(1, at=NOW)], **answers}
        self.asked: list[str] = []

    def ask(self, question: Question, *, within_seconds: float = math.inf) -> Answer:
        assert within_seconds > 0
        assert (question.path, question.method) == ("/api/v1/query", "POST")
        assert question.form is not None
        query = question.form["query"].partition("[")[0]
        self.asked.append(question.form["query"])
        found = self.answers.get(query, [])
        if isinstance(found, Answer):
            return found
        result = [{"metric": dict(one.labels), "values": [[t, str(v)] for t, v in one.samples]} for one in found]
        return Answer(
            200, json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()
        )


def read(**answers: Answer | list[Series]) -> Reading | Unknown:
    return read_counts(Prometheus(Double(**answers)), METRICS, NOW - 60, NOW, with_baseline=True, step=10.0)


GOOD = {
    'r{v="2"}': [series(0, 10, 30, at=NOW - 20)],
    'r{v="1"}': [series(0, 100, 200, 300, at=NOW - 70, step=20)],
    'r{v="1",s="5"}': [series(0, 0, 5, 7, at=NOW - 70, step=20)],
}


def test_counts_are_read() -> None:
    found = read(**GOOD)
    assert isinstance(found, Reading)
    assert (found.canary, found.baseline) == (Counts(30, 0), Counts(300, 7))
    assert found.intervals[-1].baseline.requests > 0
    alone = read_counts(Prometheus(Double(**GOOD)), METRICS, NOW - 60, NOW, with_baseline=False, step=10.0)
    assert alone == Reading(Counts(30, 0))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"up": []}, "no target is being scraped"),
        ({"up": [series(0, at=NOW)]}, "no target is being scraped"),
        ({'r{v="2"}': []}, "no sample since the deployment"),
        ({'r{v="2"}': [series(9, 9, at=NOW - 100)]}, "no sample since the deployment"),
        ({'r{v="2"}': [series(9, 9, 9, at=NOW - 20)], 'r{v="2",s="5"}': [series(99, at=NOW)]}, "more errors than requests"),
        ({'r{v="2"}': [series(0, 0, at=NOW - 20)]}, "has not grown"),
        ({'r{v="2"}': Answer(None, error="no connection: Connection refused")}, "cannot be reached: no connection"),
        ({'r{v="2"}': Answer(502)}, "the status 502"),
        ({'r{v="2"}': Answer(200, b"<html>")}, "no Prometheus"),
        ({'r{v="2"}': Answer(200, b"[]")}, "no Prometheus"),
        ({'r{v="2"}': Answer(200, b"{}", cut=True)}, "more than 64 MiB"),
        ({'r{v="2"}': Answer(422, b'{"error": "too many samples"}')}, "too many samples"),
        ({'r{v="2"}': [series(math.nan, at=NOW)]}, "no counters"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_said(changed: dict[str, Answer | list[Series]], why: str) -> None:
    found = read(**{**GOOD, **changed})
    assert isinstance(found, Unknown)
    assert why in found.why


def test_old_samples_are_not_known_and_a_baseline_without_news_is_no_baseline() -> None:
    old = read_counts(Prometheus(Double(**GOOD)), METRICS, NOW - 60, NOW + 90, with_baseline=True, step=10.0)
    assert isinstance(old, Unknown)
    assert "90 s old, expected at most 60 s" in old.why
    gone = read(**{**GOOD, 'r{v="1"}': [series(0, 100, at=NOW - 200)]})
    assert isinstance(gone, Reading)
    assert isinstance(gone.baseline, Unknown)
    assert (gone.canary, gone.intervals) == (Counts(30, 0), ())


BEFORE = {
    'r{v!=""}': [series(1, 2, 3, at=NOW - 20)],
    'r{v!="",s!=""}': [series(1, at=NOW)],
    'r{v="1"}': [series(1, at=NOW)],
}


def tried(
    changed: dict[str, Answer | list[Series]] | None = None, *, first: bool = False, metrics: Metrics = METRICS
) -> float:
    prometheus = Prometheus(Double(**{**BEFORE, **(changed or {})}))
    return preflight(prometheus, metrics, file="smoke.yml", version="2", now=NOW, first=first)


def test_before_a_deployment_everything_is_tried() -> None:
    assert tried() == 10.0
    assert tried({"up": []}, first=True) == 15.0
    assert tried({'r{v!=""}': [series(1, at=NOW)]}) == 15.0


BAD = Answer(400, b'{"status": "error", "error": "parse error at char 3"}')


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({'r{v="2"}': BAD}, "metrics.requests: Prometheus refuses 'r{v=\"2\"}': parse error at char 3"),
        ({'r{v="2",s="5"}': BAD}, "metrics.errors: Prometheus refuses"),
        ({"up": BAD}, "metrics.require: Prometheus refuses"),
        ({"up": Answer(200, b'{"data": {"resultType": "scalar", "result": [1, "1"]}}')}, "it is a scalar"),
        ({"up": []}, "no target is known"),
        ({"up": [series(0, at=NOW)]}, "1 targets are known, and all are down"),
        ({'r{v!=""}': []}, 'Prometheus has no series r{v!=""}'),
        ({'r{v!="",s!=""}': []}, 'metrics.errors: Prometheus has no series r{v!="",s!=""}'),
        ({'r{v="1"}': []}, "metrics.baseline-version: Prometheus has no series"),
        ({'r{v="1"}': [series(1, at=NOW - 100)]}, "100 s old, expected at most 60 s"),
    ],
)
def test_what_cannot_be_watched_is_not_deployed(changed: dict[str, Answer | list[Series]], says: str) -> None:
    with pytest.raises(CallerMistake) as raised:
        tried(changed)
    assert says in str(raised.value)
    assert "Nothing was deployed." in str(raised.value)


def test_before_a_deployment_only_single_requests_are_accepted_and_a_prometheus_that_answers() -> None:
    summed = Metrics("http://prometheus", "sum(r)", "r", 0.01)
    with pytest.raises(CallerMistake, match="no plain selector"):
        tried(metrics=summed)
    with pytest.raises(InfrastructureFailure, match="cannot be reached"):
        tried({'r{v="2"}': Answer(None, error="no connection")})


class Hours:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(NOW + self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.seconds += seconds


RULES = Rules(0.01, 15.0, min_seconds=60.0, max_seconds=300.0)


def watched(at: Callable[[float], Reading | Unknown], rules: Rules = RULES) -> tuple[Watched, list[Verdict]]:
    heard: list[Verdict] = []
    found = watch(lambda now: at(now - NOW), Hours(), rules, on_poll=lambda verdict, _: heard.append(verdict))
    assert found.polls == len(heard)
    assert found.verdict == heard[-1]
    assert found.verdict.kind != "watching"
    return found, heard


def test_a_good_release_passes_when_the_least_time_is_over() -> None:
    found, heard = watched(lambda now: Reading(Counts(int(now * 20) + 1, 0)))
    assert (found.verdict.kind, found.seconds) == ("pass", 60.0)
    assert {each.kind for each in heard[:-1]} == {"watching"}


def test_with_few_requests_it_is_watched_until_a_pass_is_possible_but_not_until_it_looks_good() -> None:
    few, _ = watched(lambda now: Reading(Counts(int(now * 2) + 1, 0)))
    assert (few.verdict.kind, few.seconds) == ("pass", 150.0)
    one_error, _ = watched(lambda now: Reading(Counts(int(now * 2) + 1, int(now > 0))))
    assert (one_error.verdict.kind, one_error.seconds) == ("inconclusive", 150.0)
    hardly_any, _ = watched(lambda now: Reading(Counts(int(now / 10) + 1, 0)))
    assert (hardly_any.verdict.kind, hardly_any.seconds) == ("inconclusive", 300.0)
    assert hardly_any.verdict.more_requests == 299 - 31


def test_a_bad_release_ends_the_watch_at_once() -> None:
    found, _ = watched(lambda now: Reading(Counts(20, 20)) if now > 15 else Unknown("no sample"))
    assert (found.verdict.kind, found.seconds) == ("fail", 18.0)


def test_what_stays_unknown_is_never_a_pass_and_no_failure() -> None:
    found, heard = watched(lambda _: Unknown("Prometheus cannot be reached"))
    assert {each.kind for each in heard} == {"unknown"}
    assert (found.verdict.why, found.seconds) == ("Prometheus cannot be reached.", 300.0)
    back, _ = watched(lambda now: Reading(Counts(1000, 0)) if now > 100 else Unknown("away"))
    assert (back.verdict.kind, back.seconds) == ("pass", 102.0)


def test_a_release_that_fails_while_the_baseline_is_out_of_sight_is_not_taken_back() -> None:
    found, _ = watched(lambda _: Reading(Counts(20, 20), Unknown("it is gone")))
    assert found.verdict.kind == "unknown"
    assert "above 1 %" in found.verdict.why
    assert "it is gone" in found.verdict.why


def test_a_release_that_fails_before_the_baseline_was_scraped_is_watched_on() -> None:
    """It may be an outage that the baseline has not yet shown."""
    _, heard = watched(
        lambda now: (
            Reading(Counts(20, 20), Counts(0, 0), ())
            if now < 15
            else Reading(Counts(40, 40), Counts(180, 180), (Interval(Counts(20, 20), Counts(180, 180)),))
        )
    )
    assert {each.kind for each in heard} == {"watching", "sick-environment"}


class Asked:
    """A target that remembers what it was asked."""

    def __init__(self, enough: int) -> None:
        self.questions: list[Question] = []
        self.enough = enough
        self.reached = threading.Event()

    def ask(self, question: Question, *, within_seconds: float = math.inf) -> Answer:
        assert within_seconds > 0
        self.questions.append(question)
        if len(self.questions) >= self.enough:
            self.reached.set()
        return Answer(200) if question.path == "/a" else Answer(None, error="gone")


def test_synthetic_traffic_is_labelled_and_counted() -> None:
    target = Asked(20)
    questions: Sequence[Question] = [Question("/a", headers={"X": "y"}), Question("/b")]
    clock = SystemClock()
    with traffic(target, questions, 400.0, clock, label="run-1") as sent:
        started = clock.monotonic()
        assert target.reached.wait(30)
    took = clock.monotonic() - started + 1.0
    assert sent.requests == len(target.questions) <= 400 * took
    assert sent.unanswered == sum(one.path == "/b" for one in target.questions) >= 9
    assert {one.headers[LABEL] for one in target.questions} == {"run-1"}
    assert target.questions[0].headers["X"] == "y"


@pytest.mark.parametrize(("rate", "questions"), [(0.0, [Question("/a")]), (10.0, [])])
def test_no_traffic_is_sent_unasked(rate: float, questions: list[Question]) -> None:
    target = Asked(1)
    with traffic(target, questions, rate, SystemClock(), label="x") as sent:
        pass
    assert (sent.requests, target.questions) == (0, [])
