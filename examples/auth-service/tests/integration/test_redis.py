from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import redis

from app.core.config import Settings
from app.core.rate_limit import RedisLimiter, Verdict, connect_redis
from tests.integration.support import OpenApi


def limiter(
    client: redis.Redis, prefix: str, limit: int = 3, window_seconds: float = 60
) -> RedisLimiter:
    return RedisLimiter(client, prefix, limit, window_seconds)


def test_the_limit_is_reached_and_says_how_long_to_wait(
    redis_client: redis.Redis, redis_prefix: str
) -> None:
    limit = limiter(redis_client, redis_prefix)

    assert [limit.hit("a") for _ in range(3)] == [
        Verdict(True, 2),
        Verdict(True, 1),
        Verdict(True, 0),
    ]
    refused = limit.hit("a")
    assert (refused.allowed, refused.remaining) == (False, 0)
    assert 0 < refused.retry_after_seconds <= 60
    assert limit.hit("b") == Verdict(True, 2)


def test_two_processes_share_one_limit(
    redis_url: str, redis_client: redis.Redis, redis_prefix: str
) -> None:
    other_client = connect_redis(redis_url)
    one, other = limiter(redis_client, redis_prefix), limiter(other_client, redis_prefix)
    try:
        allowed = [each.hit("a").allowed for each in (one, other, one, other, one)]
    finally:
        other.close()

    assert allowed == [True, True, True, False, False]


def test_the_window_slides_by_the_clock_of_the_server(
    redis_client: redis.Redis, redis_prefix: str
) -> None:
    limit = limiter(redis_client, redis_prefix, limit=1, window_seconds=0.2)
    assert limit.hit("a").allowed
    deadline = time.monotonic() + 5

    refusals = 0
    while not limit.hit("a").allowed:
        refusals += 1
        assert time.monotonic() < deadline

    assert refusals > 0


def test_a_key_ends_with_its_window(redis_client: redis.Redis, redis_prefix: str) -> None:
    limiter(redis_client, redis_prefix, window_seconds=60).hit("a")

    lifetime = redis_client.pttl(f"{redis_prefix}:rate:a")

    assert 0 < lifetime <= 60_000


def test_attempts_at_the_same_time_do_not_get_more_than_the_limit(
    redis_client: redis.Redis, redis_prefix: str
) -> None:
    limit = limiter(redis_client, redis_prefix, limit=100)
    with ThreadPoolExecutor(8) as pool:
        verdicts = list(pool.map(lambda _: limit.hit("a"), range(2000)))

    allowed = [verdict for verdict in verdicts if verdict.allowed]
    assert len(allowed) == 100
    assert sorted(verdict.remaining for verdict in allowed) == list(range(100))


def test_many_addresses_have_a_limit_each(redis_client: redis.Redis, redis_prefix: str) -> None:
    limit = limiter(redis_client, redis_prefix, limit=2)

    allowed = [limit.hit(f"address-{number % 500}").allowed for number in range(1500)]

    assert allowed == [True] * 1000 + [False] * 500


def test_two_applications_limit_a_caller_together(
    open_api: OpenApi, settings: Settings, redis_url: str, redis_prefix: str
) -> None:
    shared = replace(
        settings, redis_url=redis_url, redis_prefix=redis_prefix, rate_limit_attempts=3
    )
    one, other = open_api(shared), open_api(shared)
    one.add("ada")

    statuses = [each.log_in("ada").status_code for each in (one, other, one, other)]

    assert statuses == [200, 200, 200, 429]
    assert one.client.get("/readyz").json()["redis"] == "ok"


def test_a_dead_connection_is_seen_by_the_ping() -> None:
    nowhere = limiter(connect_redis("redis://127.0.0.1:1/0"), "test")

    assert not nowhere.ping()
