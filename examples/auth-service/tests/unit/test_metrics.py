from __future__ import annotations

from app.metrics import Metrics, request_id


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_requests_are_counted_by_route_status_and_version() -> None:
    metrics = Metrics("abc1234")
    for status in (200, 200, 500):
        metrics.request("GET", "/me", status, 0.02)

    labels = {"method": "GET", "path": "/me", "version": "abc1234"}
    assert value(metrics, "http_requests_total", status="200", **labels) == 2
    assert value(metrics, "http_requests_total", status="500", **labels) == 1
    assert value(metrics, "http_request_duration_seconds_count", **labels) == 3
    assert value(metrics, "http_request_duration_seconds_bucket", le="0.01", **labels) == 0
    assert value(metrics, "http_request_duration_seconds_bucket", le="0.025", **labels) == 3


def test_a_made_up_method_does_not_make_a_new_series() -> None:
    metrics = Metrics("v")
    for method in ("BREW", "STEAL"):
        metrics.request(method, "unmatched", 405, 0.0)

    labels = {"method": "OTHER", "path": "unmatched", "status": "405", "version": "v"}
    assert value(metrics, "http_requests_total", **labels) == 2


def test_two_applications_do_not_share_counts() -> None:
    one, two = Metrics("v"), Metrics("v")
    one.login("good")
    one.fallback()

    assert value(one, "login_attempts_total", outcome="good") == 1
    assert value(two, "login_attempts_total", outcome="good") is None
    assert b"rate_limiter_fallbacks_total 1.0" in one.render()
    assert b"rate_limiter_fallbacks_total 0.0" in two.render()


def test_a_harmless_request_id_is_kept() -> None:
    given = ["a", "Run-1.2_3", "x" * 64]

    assert [request_id(one) for one in given] == given


def test_any_other_request_id_is_replaced() -> None:
    given = [None, "", "x" * 65, "a b", "a\nb", "a\n", "<script>"]

    made = {request_id(one) for one in given}

    assert len(made) == len(given)
    assert {len(new) for new in made} == {32}
