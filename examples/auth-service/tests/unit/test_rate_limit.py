from __future__ import annotations

import threading

import pytest
import redis

from app.core.rate_limit import FallbackLimiter, MemoryLimiter, Verdict
from tests.helpers import FakeClock


class BrokenLimiter:
    """A shared limiter whose server is away until it is told to come back."""

    def __init__(self) -> None:
        self.away = True
        self.closed = False

    def hit(self, key: str) -> Verdict:
        if self.away:
            raise redis.ConnectionError("refused")
        return Verdict(True, 99)

    def ping(self) -> bool:
        return not self.away

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def limiter(clock: FakeClock) -> MemoryLimiter:
    return MemoryLimiter(limit=3, window_seconds=10, clock=clock)


def test_the_limit_is_reached_and_says_how_long_to_wait(
    limiter: MemoryLimiter, clock: FakeClock
) -> None:
    assert [limiter.hit("a") for _ in range(3)] == [
        Verdict(True, 2),
        Verdict(True, 1),
        Verdict(True, 0),
    ]
    clock.advance(4)

    assert limiter.hit("a") == Verdict(False, 0, retry_after_seconds=6)


def test_keys_do_not_share_a_limit(limiter: MemoryLimiter) -> None:
    for _ in range(4):
        limiter.hit("a")

    assert limiter.hit("b") == Verdict(True, 2)
    assert limiter.ping(), "memory always answers"


def test_the_window_slides(limiter: MemoryLimiter, clock: FakeClock) -> None:
    limiter.hit("a")
    clock.advance(6)
    limiter.hit("a")
    limiter.hit("a")
    clock.advance(3.9)
    assert not limiter.hit("a").allowed
    clock.advance(0.1)

    assert limiter.hit("a") == Verdict(True, 0), "only the first attempt has left the window"
    assert not limiter.hit("a").allowed


def test_a_refused_attempt_does_not_prolong_the_wait(
    limiter: MemoryLimiter, clock: FakeClock
) -> None:
    for _ in range(3):
        limiter.hit("a")
    for _ in range(9):
        clock.advance(1)
        assert not limiter.hit("a").allowed
    clock.advance(1)

    assert limiter.hit("a").allowed


def test_old_keys_are_forgotten(limiter: MemoryLimiter, clock: FakeClock) -> None:
    for number in range(1000):
        limiter.hit(f"address-{number}")
    assert len(limiter) == 1000
    clock.advance(10)
    limiter.hit("another")

    assert len(limiter) == 1
    limiter.close()
    assert len(limiter) == 0


def test_threads_do_not_get_more_than_the_limit(clock: FakeClock) -> None:
    limiter = MemoryLimiter(limit=50, window_seconds=10, clock=clock)
    allowed: list[bool] = []

    def attack() -> None:
        for _ in range(100):
            allowed.append(limiter.hit("a").allowed)

    threads = [threading.Thread(target=attack) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(allowed) == 800
    assert sum(allowed) == 50


def test_without_the_shared_store_the_limit_holds_in_memory(
    limiter: MemoryLimiter, caplog: pytest.LogCaptureFixture
) -> None:
    shared = BrokenLimiter()
    fallbacks: list[str] = []
    both = FallbackLimiter(shared, limiter, lambda: fallbacks.append("fallback"))

    verdicts = [both.hit("a").allowed for _ in range(5)]

    assert verdicts == [True, True, True, False, False]
    assert len(fallbacks) == 5
    assert not both.ping()
    assert "Redis is away (ConnectionError); limiting in memory." in caplog.text


def test_the_shared_store_is_used_again_when_it_is_back(limiter: MemoryLimiter) -> None:
    shared = BrokenLimiter()
    fallbacks: list[str] = []
    both = FallbackLimiter(shared, limiter, lambda: fallbacks.append("fallback"))
    both.hit("a")
    shared.away = False

    assert both.hit("a") == Verdict(True, 99)
    assert both.ping()
    assert len(fallbacks) == 1
    both.close()
    assert shared.closed
    assert len(limiter) == 0
