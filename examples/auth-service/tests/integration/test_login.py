from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from app.core.config import Settings
from app.core.security import Cost, PasswordHash
from tests.helpers import PASSWORD, FakeClock
from tests.integration.support import Api, OpenApi


def test_a_login_opens_the_way_to_me(api: Api, clock: FakeClock) -> None:
    answer = api.log_in("ada")

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body.keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 900)
    me = api.client.get("/me", headers={"Authorization": f"Bearer {body['access_token']}"})
    assert me.status_code == 200
    assert me.json() == {"user": "ada", "role": "user", "expires_at": int(clock.now) + 900}


@pytest.mark.parametrize(
    ("user", "password"), [("ada", "wrong horse battery"), ("eve", PASSWORD), ("ada", "")]
)
def test_a_bad_login_tells_nothing(api: Api, user: str, password: str) -> None:
    answer = api.log_in(user, password)

    assert answer.status_code == 401
    assert answer.json() == {"error": "bad-credentials"}
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "body",
    [{}, {"user": "ada"}, {"user": "ada", "password": "p" * 129}, {"user": 1, "password": None}],
)
def test_a_login_of_another_shape_is_refused_before_any_hashing(
    api: Api, body: dict[str, object]
) -> None:
    assert api.client.post("/login", json=body).status_code == 422
    assert (
        api.services.metrics.registry.get_sample_value(
            "login_attempts_total", {"outcome": "bad-credentials"}
        )
        is None
    )


def test_a_locked_account_says_when_to_come_back(api: Api, clock: FakeClock) -> None:
    for _ in range(5):
        assert api.log_in("ada", "wrong").status_code == 401
    clock.advance(0.5)

    answer = api.log_in("ada")

    assert answer.status_code == 429
    assert answer.json() == {"error": "locked"}
    assert answer.headers["retry-after"] == "30"
    assert api.log_in("alice").status_code == 200
    clock.advance(29.5)
    assert api.log_in("ada").status_code == 200


def test_one_address_may_not_try_for_ever(
    open_api: OpenApi, settings: Settings, clock: FakeClock
) -> None:
    api = open_api(replace(settings, rate_limit_attempts=3))
    api.add("ada")
    statuses = [api.log_in(user).status_code for user in ("ada", "bob", "eve", "ada")]

    assert statuses == [200, 401, 401, 429]
    assert api.log_in("ada").headers["retry-after"] == "60"
    clock.advance(60)
    assert api.log_in("ada").status_code == 200


def test_logins_are_counted_by_outcome(open_api: OpenApi, settings: Settings) -> None:
    api = open_api(replace(settings, lockout_attempts=1, rate_limit_attempts=3))
    api.add("ada")
    for password in (PASSWORD, "wrong", PASSWORD, PASSWORD):
        api.log_in("ada", password)

    counted = {
        outcome: api.services.metrics.registry.get_sample_value(
            "login_attempts_total", {"outcome": outcome}
        )
        for outcome in ("good", "bad-credentials", "locked", "rate-limited")
    }
    assert counted == {"good": 1, "bad-credentials": 1, "locked": 1, "rate-limited": 1}


@pytest.mark.parametrize("log2_n", [14, 15])
def test_logins_at_the_cost_of_production(
    open_api: OpenApi, settings: Settings, log2_n: int
) -> None:
    api = open_api(replace(settings, scrypt_log2_n=log2_n))
    api.add("ada")

    assert api.log_in("ada").status_code == 200
    assert api.log_in("ada", "wrong horse battery").status_code == 401
    assert api.log_in("nobody").status_code == 401
    assert PasswordHash.decode(api.services.store.users()[0].password_hash).cost == Cost(log2_n)


def test_many_users_log_in_at_once_at_the_cost_of_production(
    open_api: OpenApi, settings: Settings
) -> None:
    api = open_api(replace(settings, scrypt_log2_n=14))
    names = [f"user-{number}" for number in range(6)]
    for name in names:
        api.add(name)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(api.log_in, names))

    assert [answer.status_code for answer in answers] == [200] * 6
    tokens = {answer.json()["access_token"] for answer in answers}
    assert len(tokens) == 6


def test_a_cheap_hash_is_renewed_by_the_next_login(open_api: OpenApi, settings: Settings) -> None:
    open_api(settings).add("ada")
    api = open_api(replace(settings, scrypt_log2_n=14))

    assert api.log_in("ada").status_code == 200

    renewed = api.services.store.users()[0].password_hash
    assert PasswordHash.decode(renewed).cost == Cost()
    assert api.log_in("ada").status_code == 200
    assert api.services.store.users()[0].password_hash == renewed
