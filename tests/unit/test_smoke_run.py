"""The smoke run: what is good, and every way in which a release is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ci_kit.smoke_and_rollback.expectations import percentile, requests_needed, too_slow, wrong_answer
from ci_kit.smoke_and_rollback.http_client import Answer, Question
from ci_kit.smoke_and_rollback.smoke_result import SmokeResult
from ci_kit.smoke_and_rollback.spec import Auth, Latency, Limits
from ci_kit.smoke_and_rollback.tokens import forgeries
from hypothesis import given
from hypothesis import strategies as st
from unit.smoke_doubles import SPEC, TOKEN, run, told


def problems(result: SmokeResult) -> dict[str, str]:
    return {check.name: check.why for check in result.failed}


def test_a_good_release() -> None:
    result, service, masked = run()
    assert result.ok, result.why
    assert result.version == "abc"
    assert result.answered == len(service.asked)
    assert result.answered >= requests_needed(SPEC)
    assert masked == [TOKEN]
    assert [check.name for check in result.checks] == [
        "ready",
        "version",
        "login",
        "me",
        "me with no token",
        "me with a garbage token",
        "me with its token with another signature",
        "me with its token without a signature",
        "database",
        "me: latency",
        "trust",
    ]
    assert all(
        question.fresh and question.once for question in service.asked if question.path in {"/readyz", "/version"}
    )


def test_readiness_must_last() -> None:
    result, service, _ = run(readyz=lambda _, count: told({}, 503 if count in {1, 3} else 200))
    assert result.ok
    assert result.checks[0].samples == 5
    assert service.asked[5].path == "/version"


def test_a_release_that_never_gets_ready_is_asked_nothing_more() -> None:
    result, service, masked = run(readyz=lambda *_: Answer(None, error="no connection: Connection refused"))
    assert problems(result) == {
        "ready": "not 2 times in a row within 20 s; in the end: no connection: Connection refused (40 of 40 times)"
    }
    assert {question.path for question in service.asked} == {"/readyz"}
    assert masked == []
    assert 19 <= result.seconds <= 20


def test_a_release_of_another_version_is_asked_nothing_more() -> None:
    result, service, _ = run(version=lambda *_: told({"git_sha": "old"}))
    assert 'in the end: the version "old" answers, not "abc"' in problems(result)["version"]
    assert result.version == "old"
    assert {question.path for question in service.asked} == {"/readyz", "/version"}


def test_the_old_release_may_answer_at_first_but_not_in_between() -> None:
    result, _, _ = run(version=lambda _, count: told({"git_sha": "old" if count in {1, 2, 5} else "abc"}))
    assert result.ok
    assert result.checks[1].samples == 8


def test_a_version_that_flips_is_not_proven() -> None:
    result, _, _ = run(version=lambda _, count: told({"git_sha": "old" if count % 3 == 0 else "abc"}))
    assert "not 3 times in a row within 30 s" in problems(result)["version"]


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"age": "120"}, "a cache answered: the answer is 120 s old"),
        (
            {"x-request-id": "always-the-same"},
            "a cache answered: the answer carries the X-Request-Id of an earlier one",
        ),
    ],
)
def test_a_cache_proves_no_version(headers: dict[str, str], why: str) -> None:
    result, _, _ = run(version=lambda *_: told({"git_sha": "abc"}, headers=headers))
    assert why in problems(result)["version"]


def test_an_age_of_nothing_and_ids_of_its_own_are_no_cache() -> None:
    result, _, _ = run(
        version=lambda _, count: told({"git_sha": "abc"}, headers={"age": "0", "x-request-id": str(count)})
    )
    assert result.ok


@pytest.mark.parametrize("status", [200, 204, 403, 404, 500])
def test_a_removed_login_is_noticed(status: int) -> None:
    """Without a token the exact refusal must come; anything else fails, another refusal too."""
    result, _, _ = run(
        me=lambda question, _: told(
            {"user": "smoke"}, 200 if question.headers.get("Authorization") == f"Bearer {TOKEN}" else status
        )
    )
    assert problems(result) == {
        f"me with {what}": f"must be refused: expected the status 401, found {status}"
        for what in (
            "no token",
            "a garbage token",
            "its token with another signature",
            "its token without a signature",
        )
    }


def test_a_service_that_does_not_look_at_the_signature_is_noticed() -> None:
    def me(question: Question, _: int) -> Answer:
        claims = question.headers.get("Authorization", "").split(".")[1:2]
        return told({"user": "smoke"}, 200 if claims == TOKEN.split(".")[1:2] else 401)

    result, _, _ = run(me=me)
    assert set(problems(result)) == {
        "me with its token with another signature",
        "me with its token without a signature",
    }


def test_a_401_never_passes() -> None:
    result, _, _ = run(me=lambda *_: told({"user": "smoke"}, 401))
    assert problems(result) == {"me": "expected the status 200, found 401"}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (told({"access_token": 7}), "$.access_token is no text"),
        (told({}), "$.access_token leads to no value in the answer, not to one"),
        (told({"access_token": ""}), "is no token"),
        (told({"access_token": "a\r\nX-Evil: 1"}), "is no token"),
        (Answer(200, b"<html>"), "the answer is not JSON"),
        (told({"error": "secret-password is wrong"}, 401), "expected the status 200, found 401"),
        (Answer(None, error="no connection: secret-password"), "no connection: ***"),
    ],
)
def test_a_login_that_gives_no_token(answer: Answer, why: str) -> None:
    result, _, masked = run(login=lambda *_: answer)
    assert why in problems(result)["login"]
    assert problems(result)["me"] == "not asked: there is no token"
    assert "database" not in problems(result)
    assert masked == []
    assert "secret-password" not in str(problems(result))


def test_a_database_that_is_down() -> None:
    result, _, _ = run(healthz_db=lambda *_: told({"db": "down"}, 503))
    assert problems(result) == {"database": "expected the status 200, found 503"}
    result, _, _ = run(healthz_db=lambda *_: told({"db": "down"}))
    assert problems(result) == {"database": '$.db: expected "ok", found "down"'}


def test_a_slow_release_is_noticed_before_all_samples() -> None:
    result, service, _ = run(
        me=lambda question, _: told(
            {"user": "smoke"}, 200 if question.headers.get("Authorization") == f"Bearer {TOKEN}" else 401, seconds=0.5
        )
    )
    assert problems(result) == {"me: latency": "p95 is above 300 ms: 2 of 2 answers took 500 ms or longer"}
    assert sum(question.path == "/me" for question in service.asked) == 1 + 4 + 2


def test_one_slow_answer_of_twenty_is_no_p95() -> None:
    result, _, _ = run(
        me=lambda question, count: told(
            {"user": "smoke"},
            200 if question.headers.get("Authorization") == f"Bearer {TOKEN}" else 401,
            seconds=5.0 if count == 9 else 0.01,
        )
    )
    assert result.ok
    (latency,) = (check for check in result.checks if check.kind == "latency")
    assert latency.samples == 20
    assert latency.percentiles == ((0.95, 0.01),)


def test_every_sample_must_be_right() -> None:
    result, _, _ = run(
        me=lambda question, count: (
            told({}, 401)
            if question.headers.get("Authorization") != f"Bearer {TOKEN}"
            else told({"user": "smoke"}, 500 if count == 15 else 200)
        )
    )
    assert problems(result) == {"me: latency": "sample 10: expected the status 200, found 500"}


def test_a_release_that_comes_and_goes_is_noticed() -> None:
    result, _, _ = run(healthz_db=lambda *_: told({"db": "ok"}, retries=2))
    assert result.ok
    assert result.retries == 2
    result, _, _ = run(healthz_db=lambda *_: told({"db": "ok"}, retries=3))
    assert "3 retries for 32 answers: the release comes and goes" in problems(result)["trust"]


def test_a_run_that_was_too_fast_is_not_believed() -> None:
    spec = replace(SPEC, ready=None, auth=None, checks=SPEC.checks[1:])
    result, _, _ = run(
        spec,
        version=lambda *_: told({"git_sha": "abc"}, seconds=0.0),
        healthz_db=lambda *_: told({"db": "ok"}, seconds=0.0),
    )
    assert problems(result) == {"trust": "4 answers in 0.00 ms: nothing was really asked"}


def test_the_whole_run_ends_in_time() -> None:
    spec = replace(SPEC, limits=Limits(run_seconds=5.0))
    result, _, _ = run(spec, login=lambda *_: told({"access_token": TOKEN}, seconds=6.0))
    assert problems(result)["me"] == "not asked: the time of the whole run is up"
    assert result.seconds < 7
    result, _, _ = run(spec, readyz=lambda *_: told({}, 503))
    assert "within 5 s" in problems(result)["ready"]


def test_a_token_from_a_command() -> None:
    given: list[Any] = []

    def command(argv: tuple[str, ...], seconds: float) -> str:
        given.append((argv, seconds))
        return f"made the user\n{TOKEN}\n"

    result, service, masked = run(replace(SPEC, auth=Auth(command=("make", "token"))), command)
    assert result.ok, result.why
    assert given == [(("make", "token"), 30.0)]
    assert masked == [TOKEN]
    assert "/login" not in {question.path for question in service.asked}
    result, _, _ = run(replace(SPEC, auth=Auth(command=("true",))), lambda *_: "\n")
    assert problems(result)["login"] == "the command printed nothing"


def test_the_token_is_in_no_message() -> None:
    result, _, _ = run(healthz_db=lambda *_: told({"db": f"Bearer {TOKEN}"}))
    assert problems(result) == {"database": '$.db: expected "ok", found "Bearer ***"'}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "the answer is not JSON"),
        (b"", "the answer is not JSON"),
        (b"\xff\xfe\x00", "the answer is not JSON"),
        (b"[" * 100_000, "the answer is not JSON"),
        (b'{"a": NaN}', "the answer is not JSON"),
        (b"9" * 10_000, "the answer is not JSON"),
        (b'"{\\"a\\": 1}"', "$.a leads to no value in the answer, which is a text"),
        (b'{"a": "1"}', '$.a: expected 1, found "1"'),
        (b'{"a": true}', "$.a: expected 1, found true"),
        (b'{"a": [1]}', "$.a: expected 1, found a list of 1"),
        (b'{"b": 1}', "$.a leads to no value in the answer, not to one"),
        (b'{"a": 1.0}', None),
    ],
)
def test_bodies(body: bytes, why: str | None) -> None:
    assert wrong_answer(Answer(200, body), 200, [("$.a", 1)], ()) == why


def test_a_path_to_many_values_is_not_one() -> None:
    assert wrong_answer(told([1, 1]), 200, [("$[*]", 1)], ()) == "$[*] leads to 2 values in the answer, not to one"


def test_a_value_that_may_be_a_secret_is_not_shown() -> None:
    why = wrong_answer(told({"token": "abcdef"}), 200, [("$.token", "x")], ())
    assert why == (
        "$.token: expected a text of 1 characters that is not shown, found a text of 6 characters that is not shown"
    )


def test_a_redirect_is_told_without_its_query() -> None:
    away = Answer(302, headers={"location": "https://other.test/in?token=abc"})
    assert wrong_answer(away, 200, [], ()) == (
        "expected the status 200, found 302 to https://other.test/in (redirects are not followed)"
    )
    assert wrong_answer(replace(away, headers={"location": "//["}), 200, [], ()) is not None


def test_a_long_or_compressed_answer_is_wrong() -> None:
    assert (
        wrong_answer(Answer(200, b"12345", cut=True), 200, [], ())
        == "the answer is longer than the 5 bytes that are read"
    )
    packed = Answer(200, b"12345", headers={"content-encoding": "gzip"})
    assert wrong_answer(packed, 200, [], ()) == "the answer is compressed, which was not asked for"


@given(st.lists(st.floats(0, 10), min_size=1, max_size=200), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(values: list[float], quantile: float) -> None:
    found = percentile(values, quantile)
    assert found in values
    assert sum(value <= found for value in values) >= quantile * len(values) - 1e-6
    assert sum(value < found for value in values) < quantile * len(values)


@given(st.lists(st.floats(0, 1), min_size=20, max_size=20), st.floats(0.05, 0.95))
def test_an_early_no_is_the_no_of_all_samples(values: list[float], limit: float) -> None:
    latency = Latency(((0.95, limit),), samples=20)
    early = any(too_slow(values[:count], latency) is not None for count in range(1, 21))
    assert early == (percentile(values, 0.95) > limit)


def test_forgeries_are_no_copies() -> None:
    made = dict(forgeries(TOKEN))
    assert len(made) == 3
    assert TOKEN not in made.values()
    assert made["its token with another signature"].startswith(TOKEN.rpartition(".")[0] + ".")
    assert list(dict(forgeries("opaque-token"))) == ["a garbage token"]
